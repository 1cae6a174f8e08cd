# The state that a test begins with: that of a deployment in this place.

resource "terraform_data" "place" {
  input = "shop-412345/europe-west3"
}
