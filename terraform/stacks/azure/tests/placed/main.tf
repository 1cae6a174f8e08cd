# The state that a test begins with: that of a deployment in this place.

resource "terraform_data" "place" {
  input = "01234567-89ab-cdef-0123-456789abcdef/westeurope"
}
