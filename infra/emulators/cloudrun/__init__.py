"""A stand-in for Cloud Run, its push subscriptions and Cloud Scheduler, in front of Google's Pub/Sub emulator.

Google has no emulator of Cloud Run. This one starts each service's function with Google's functions-framework when its
first push arrives, as Cloud Run does, hands pushes to it, and rings the tick. Nothing of Google is imported.

**What Google does and its emulator (0.8.20) does not, it adds itself**: in these points a test that passes here says
nothing about Google.

- Filters: the emulator stores them and pushes everything. A push that the filter does not let through is answered with
  204, and no function is called.
- `deliveryAttempt`: the emulator's pushes have none, so each push of a message to a subscription is counted here. The
  count begins anew with the process.
- The other shapes of a push (see `shapes`): every push of the emulator is wrapped, and is written anew on request.
- 102 and 202 acknowledge a push at Google, and are retried by the emulator: they are passed on as 204.
- A function that does not answer in time is answered for with 504; one that can't be reached with 503; one that does
  not come up with 500.

Left to the emulator, because it was seen to do it: delivering again, the retry policy's waits, and the dead-letter
policy of push subscriptions, with the attributes that Pub/Sub adds. What it does in its own way: at most two pushes of
a subscription are under way at once; with any retry policy a second try comes after one second and the next ones after
three or more; a subscription keeps messages for seven days at most; while a subscription is paused (no push endpoint),
a pull sees what its filter would not let through.

Not there at all: ordering keys (the emulator's pushes leave them out), identity tokens, permissions, and instances that
come and go with the load.
"""
