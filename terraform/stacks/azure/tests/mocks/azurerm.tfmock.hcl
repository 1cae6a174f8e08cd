# Who deploys, and in whose name functions act. What is made from names is known in a plan without these.

mock_data "azurerm_client_config" {
  defaults = { object_id = "11111111-1111-1111-1111-111111111111" }
}

mock_resource "azurerm_function_app_flex_consumption" {
  defaults = {
    identity = { principal_id = "22222222-2222-2222-2222-222222222222" }
  }
}

mock_resource "azurerm_user_assigned_identity" {
  defaults = { principal_id = "33333333-3333-3333-3333-333333333333" }
}

mock_resource "azurerm_application_insights" {
  defaults = { connection_string = "InstrumentationKey=0" }
}
