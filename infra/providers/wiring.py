"""TEMPORARY."""
from zlib import crc32
from shared.payments.model import *
from shared.shipping.model import *
class G:
    def capture(self,k,o,m): return Decline("insufficient funds") if crc32(o.encode())%33==0 else Receipt("r"+o)
    def refund(self,k,o,m): return Receipt("r"+o)
class C:
    def dispatch(self,k,o): return Refusal("address undeliverable") if crc32(o.encode())%51==0 else Parcel("UPS","T"+o)
class M:
    def __init__(s,f): s.f=f; f.mkdir(exist_ok=True,parents=True)
    def send(self,k,m): (self.f/(k.replace('/','_')+'.eml')).write_text(m.text)
def providers(environment, folder): return {'payments':G(),'shipping':C(),'notifications':M(folder)}
