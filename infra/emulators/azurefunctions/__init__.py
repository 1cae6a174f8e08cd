"""A local Azure Functions host: Service Bus and timer triggers before Microsoft's own Python worker, without Docker.

Azure's host is a .NET program that npm installs only by downloading it from elsewhere. This one does the part of it
that an app of Service Bus and timer triggers meets.

**Real**: the worker, `azure-functions-runtime`, which is what runs in production under Python 3.13, and
`azure-functions`; both index and call the app's own `function_app.py` in a process of its own. The messages, which the
azure-servicebus SDK receives and settles. The app's `host.json`.

**Ours**: everything around: the protobuf classes (`rpc`), the channel between host and worker (a pair of sockets
instead of gRPC), the listeners and the timers. They follow the sources of azure-functions-host and of the Service Bus
extension 5:

- A batch trigger handles one batch at a time in each host; `maxConcurrentCalls` counts only where a function takes one
  message a call, and there locks are renewed; a batch's are not.
- What a function succeeded with is completed, unless `autoCompleteMessages` is off; what it failed with is abandoned.
- Binding data is what the extension makes of messages, with what is odd about it (`bindings`): times of a batch have no
  zone, and an array of texts lacks the empty ones, so that its places don't fit the messages any more.
- A worker process that dies fails what it was about, and is started anew; so is one whose function takes longer than
  `functionTimeout`. Several of them take turns (FUNCTIONS_WORKER_PROCESS_COUNT).
- Timers follow NCRONTAB in UTC, and never ring while they still run.

**Not there**: other triggers and bindings (HTTP, output, SDK types, sessions, settling from within a function), retry
policies of functions, and schedules of the form `hh:mm:ss`: an app that uses them is refused. `minMessageBatchSize`,
dynamic concurrency, scaling, instances that come and go; identities instead of connection strings; a timer's memory (an
occurrence that was missed stays missed) and its singleton lock over several hosts; the extension bundle, placeholders
and cold starts; Application Insights, streamed and filtered logs (a function's log is a file here; what its own threads
log goes to the worker's); `sys`, `MessageActions` and what else of .NET is in binding data; admin endpoints and keys.
"""
