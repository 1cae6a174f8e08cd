# The state that a test begins with: what Terraform finds when somebody has paused a channel.

resource "azurerm_servicebus_queue" "this" {
  namespace_id = "/subscriptions/01234567-89ab-cdef-0123-456789abcdef/resourceGroups/trefoil-dev/providers/Microsoft.ServiceBus/namespaces/trefoil-dev-bus"
  name         = "trefoil-dev-rooms"
  status       = "ReceiveDisabled"
}
