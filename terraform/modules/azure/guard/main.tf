# Keeps what it is told of from being destroyed. A lock alone does not: Terraform has made it, and removes it first.
resource "terraform_data" "this" {
  input            = var.deletion_protection
  triggers_replace = var.of # another in its place would be the end of this one

  provisioner "local-exec" {
    when    = destroy
    command = self.input ? "echo deletion_protection is on: turn it off and apply, then destroy it >&2 && exit 1" : "exit 0"
  }
}
