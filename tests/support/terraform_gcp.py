"""Names on Google Cloud, as Terraform's stack there has them."""

from tests.support.terraform_plans import PREFIX

PROJECT = "shop-412345"


def dashed(service: str) -> str:
    """A service's name in names that have no underscore."""
    return service.replace("_", "-")


def account(name: str) -> str:
    """The address of an account of the deployment."""
    return f"{PREFIX}-{name}@{PROJECT}.iam.gserviceaccount.com"
