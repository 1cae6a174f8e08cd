"""Names on Azure, as Terraform's stack there has them."""

from hashlib import sha256

from tests.support.terraform_plans import PREFIX

SUBSCRIPTION = "01234567-89ab-cdef-0123-456789abcdef"
GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{PREFIX}"
HASH = sha256(f"{SUBSCRIPTION}/{PREFIX}".encode()).hexdigest()[:8]
"""In names that are the whole world's."""

NAMESPACE = f"{GROUP}/providers/Microsoft.ServiceBus/namespaces/{PREFIX}-{HASH}"
STORE = f"{GROUP}/providers/Microsoft.Storage/storageAccounts/trefoildevstore{HASH}"
CODE = f"{GROUP}/providers/Microsoft.Storage/storageAccounts/trefoildevcode{HASH}"
INSIGHTS = f"{GROUP}/providers/Microsoft.Insights/components/{PREFIX}-log"
KEY = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/keys/providers/Microsoft.KeyVault/vaults/shop/keys/trefoil"

DEPLOYER = "11111111-1111-1111-1111-111111111111"
FUNCTIONS = "22222222-2222-2222-2222-222222222222"
KEEPER = "33333333-3333-3333-3333-333333333333"
"""The identity that may use a key of one's own."""
