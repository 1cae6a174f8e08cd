"""What the climate read model notes; the subject is the sensor, the stream a sensor's day."""

from shared.kernel.message import Payload, event
from shared.messages.sensors import CentiCelsius


@event("climate.temperature-noted.v1", private=True)
class TemperatureNoted(Payload, frozen=True):
    """A temperature was added to a day's figures."""

    temperature: CentiCelsius
