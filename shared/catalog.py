"""The list of services: a line here gives a service its channel, filter, dead letters, alarms and permissions."""

from shared.climate.handlers import SERVICE as CLIMATE
from shared.kernel.catalog import Catalog
from shared.notifications.handlers import SERVICE as NOTIFICATIONS
from shared.order_status.handlers import SERVICE as ORDER_STATUS
from shared.orders.handlers import SERVICE as ORDERS
from shared.payments.handlers import SERVICE as PAYMENTS
from shared.revenue.handlers import SERVICE as REVENUE
from shared.sensors.handlers import SERVICE as SENSORS
from shared.shipping.handlers import SERVICE as SHIPPING
from shared.users.handlers import SERVICE as USERS

CATALOG = Catalog(
    [ORDERS, PAYMENTS, SHIPPING, NOTIFICATIONS, USERS, SENSORS, ORDER_STATUS, REVENUE, CLIMATE],
)
