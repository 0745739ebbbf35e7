"""A personnel register on spyne, whose WSDL, parser and faults nobody here wrote. Run by the Python of .peers/spyne.

Prints its port and serves until its standard input ends. Sign-in is Basic, for the WSDL too.
"""

import base64
import sys
import threading
from datetime import date, datetime, timedelta
from wsgiref.simple_server import WSGIRequestHandler, make_server

from spyne import (
    Application,
    Array,
    Boolean,
    ComplexModel,
    Date,
    DateTime,
    Decimal,
    Fault,
    Integer,
    ServiceBase,
    Unicode,
    rpc,
)
from spyne.protocol.soap import Soap11
from spyne.server.wsgi import WsgiApplication

SPACE = "urn:peer:register"
USER, PASSWORD = "hub", "peer-password"


class Person(ComplexModel):
    __namespace__ = SPACE
    number = Unicode(min_occurs=1, nillable=False)
    given_name = Unicode
    family_name = Unicode(min_occurs=1, nillable=False)
    email = Unicode
    hours = Decimal
    is_active = Boolean
    hired_on = Date
    changed_at = DateTime


class Listing(ComplexModel):
    __namespace__ = SPACE
    total = Integer
    pages = Integer
    people = Array(Person)


def _person(n):
    return Person(
        number=f"{n:06d}",
        given_name=f"Given {n}",
        family_name=f"Family {n}",
        email=f"p{n}@firm.example",
        hours="37.50",
        is_active=n % 2 == 0,
        hired_on=date(2020, 1, 1) + timedelta(days=n),
        changed_at=datetime(2026, 1, 1) + timedelta(hours=n),
    )


PEOPLE = {person.number: person for person in map(_person, range(1, 56))}


class Register(ServiceBase):
    @rpc(Integer(default=1), Integer(default=10), DateTime, Unicode, _returns=Listing)
    def list_people(ctx, page, count, since, number):
        chosen = [PEOPLE[key] for key in sorted(PEOPLE)]
        if since:
            chosen = [person for person in chosen if person.changed_at >= since.replace(tzinfo=None)]
        if number:
            chosen = [person for person in chosen if person.number == number]
        page, count = int(page or 1), min(int(count or 10), 20)
        shown = chosen[(page - 1) * count : page * count]
        return Listing(total=len(chosen), pages=-(-len(chosen) // count), people=shown)

    @rpc(Person, _returns=Unicode)
    def put_person(ctx, person):
        if person.family_name == "bad":
            raise Fault("Client.Validation", "The family name is bad.")
        if person.family_name == "broken":
            raise Fault("Server", "The register is out of order.")
        PEOPLE[person.number] = person
        return person.number


soap = WsgiApplication(Application([Register], SPACE, in_protocol=Soap11(validator="lxml"), out_protocol=Soap11()))
PROOF = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()


def guarded(environ, start_response):
    if environ.get("HTTP_AUTHORIZATION") != PROOF:
        start_response("401 Unauthorized", [("WWW-Authenticate", 'Basic realm="register"'), ("Content-Length", "0")])
        return [b""]
    return soap(environ, start_response)


class Quiet(WSGIRequestHandler):
    def log_message(self, *args):
        pass


if __name__ == "__main__":
    server = make_server("127.0.0.1", 0, guarded, handler_class=Quiet)
    print(server.server_port, flush=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdin.read()
