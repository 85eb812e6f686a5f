"""Values of all types that apps put into a session, and a comparison of values and types."""

import datetime
import pickle
import random
import uuid
from collections import OrderedDict
from datetime import date, time, timedelta, timezone
from decimal import Decimal

from markupsafe import Markup


class Basket:
    """A class that only the app has."""

    def __init__(self, owner, items):
        self.owner, self.items = owner, items

    def __repr__(self):
        return f"Basket({self.owner!r}, {self.items!r})"


def text(r):
    alphabet = "abc XYZ_09\"'\\/<>&\n\t\0\x7f" + "éßЖ中\u2028\ufeff" + "🙂𝄞"
    return "".join(r.choice(alphabet) for _ in range(r.randrange(12)))


def moment(r):
    return datetime.datetime(r.randrange(1, 9999), r.randrange(1, 13), r.randrange(1, 29), r.randrange(24), r.randrange(60),
                             r.randrange(60), r.choice([0, r.randrange(1000000)]))


def zone(r):
    return r.choice([timezone.utc, timezone(timedelta(minutes=r.randrange(-720, 840)))])


def shared(r):
    """Returns a list that contains one list twice: pickle writes it once."""
    part = [text(r), r.randrange(9)]
    return [part, part]


# Each kind of value: its name in the key, and a function that makes one.
SCALARS = {
    "None": lambda r: None,
    "bool": lambda r: r.choice([True, False]),
    "int": lambda r: r.choice([0, 1, -1, 255, 256, 65535, 65536, 2**31 - 1, -(2**31), 2**53 + 1, 2**63 - 1, -(2**63)]),
    "big int": lambda r: r.choice([1, -1]) * r.randrange(2**63, 2**200),
    "float": lambda r: r.choice([0.0, -0.0, 0.1, 1e16, 1e-7, -1.5e308, 5e-324, r.random(), r.uniform(-1e9, 1e9), 7.0]),
    "no number": lambda r: r.choice([float("inf"), float("-inf"), float("nan")]),
    "str": text,
    "long str": lambda r: r.choice("aé🙂") * r.randrange(30, 120),
    "bytes": lambda r: bytes(r.randrange(256) for _ in range(r.randrange(40))),
    "UUID": lambda r: uuid.UUID(int=r.getrandbits(128)),
    "Decimal": lambda r: Decimal(r.choice(["0", "-0.00", "1E+30", "19.90", "NaN", "0.1000", str(r.randrange(10**20))])),
    "Markup": lambda r: Markup(f"<b>{r.randrange(99)}</b>") + text(r),
    "datetime": moment,
    "aware datetime": lambda r: moment(r).replace(tzinfo=zone(r)),
    "date": lambda r: moment(r).date(),
    "time": lambda r: moment(r).time(),
    "timedelta": lambda r: timedelta(r.randrange(-9999, 9999), r.randrange(86400), r.randrange(1000000)),
}
NESTED = {
    "tuple": lambda r: tuple(some(r) for _ in range(r.randrange(4))),
    "list": lambda r: [some(r) for _ in range(r.randrange(4))],
    "dict": lambda r: {text(r): some(r) for _ in range(r.randrange(4))},
    "dict with int keys": lambda r: {r.randrange(-5, 300): some(r) for _ in range(r.randrange(4))},
    "dict like a tag": lambda r: r.choice([{" t": [1]}, {" b": "AAE="}, {" d": None}, {" di": {}}, {" t__": {" u": 1}}, {" x": 1}]),
    "set": lambda r: {r.choice([text, lambda r: r.randrange(99)])(r) for _ in range(r.randrange(4))},
    "frozenset": lambda r: frozenset(r.randrange(99) for _ in range(r.randrange(4))),
    "OrderedDict": lambda r: OrderedDict((text(r), some(r)) for _ in range(r.randrange(4))),
    "shared": shared,
    "object": lambda r: Basket(text(r), [some(r) for _ in range(r.randrange(3))]),
}
ALL = {**SCALARS, **NESTED}


def some(r):
    return ALL[r.choice(list(SCALARS) * 2 + list(NESTED))](r)


def dictionary(seed, kept):
    """Returns up to nine values for a seed that the store can keep. A hundred seeds cover every type."""
    r = random.Random(f"values {seed}")
    names = list(ALL)
    chosen = [names[(int(seed) * 7 + i) % len(names)] for i in range(7)] + r.choices(names, k=2)
    found = {}
    for name in chosen:
        value = ALL[name](r)
        try:
            kept({"": value})
        except (TypeError, ValueError, OverflowError, AttributeError):
            continue
        found["random " + name] = value
    return found


def pickled(value):
    return pickle.loads(pickle.dumps(value))


def evaluate(expression):
    """Evaluates an expression. Safe, since the tests are the only clients."""
    return eval(expression, {
        **globals(), "shared_list": [1, 2], "UUID": uuid.UUID, "datetime": datetime.datetime,
    })


def difference(found, wanted, path="session"):
    """Returns where found differs from wanted in value or type, or an empty string."""
    if type(found) is not type(wanted):
        return f"{path} is {found!r} of {type(found)}, not {wanted!r} of {type(wanted)}"
    if isinstance(wanted, dict):
        return of_dicts(found, wanted, path)
    if isinstance(wanted, (list, tuple)):
        if len(found) != len(wanted):
            return f"{path} has {len(found)} items, not {len(wanted)}"
        return "".join(difference(f, w, f"{path}[{i}]") for i, (f, w) in enumerate(zip(found, wanted)))
    if isinstance(wanted, (set, frozenset)):
        key = lambda v: (type(v).__name__, repr(v))
        return difference(sorted(found, key=key), sorted(wanted, key=key), path)
    if hasattr(wanted, "__dict__") and not isinstance(wanted, (str, uuid.UUID)):
        return difference(vars(found), vars(wanted), path + ".__dict__")
    # repr distinguishes 0.0 from -0.0 and 1.0 from 1.00, shows the time zone, and makes all NaN equal.
    return "" if repr(found) == repr(wanted) else f"{path} is {found!r}, not {wanted!r}"


def of_dicts(found, wanted, path):
    if isinstance(wanted, OrderedDict) and list(found) != list(wanted):
        return f"{path} has the keys {list(found)}, not {list(wanted)}"
    by_type = lambda d: {(type(k), repr(k)): v for k, v in d.items()}
    found, wanted = by_type(found), by_type(wanted)
    if found.keys() != wanted.keys():
        return f"{path} lacks {sorted(map(str, wanted.keys() - found.keys()))}, and has {sorted(map(str, found.keys() - wanted.keys()))}"
    return "".join(difference(found[k], wanted[k], f"{path}[{k[1]}]") for k in wanted)
