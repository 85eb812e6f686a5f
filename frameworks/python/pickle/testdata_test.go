package pickle_test

// program is a Python program that pickles sessions from a seed, and compares those that it gets
// back by value and type.
const program = `
import base64, enum, json, pickle, random, sys, uuid
from collections import OrderedDict, namedtuple
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from markupsafe import Markup

class Own:
    def __init__(self, **attributes): self.__dict__.update(attributes)
class Slots:
    __slots__ = ("a",)
class Colour(enum.Enum):
    RED = 1
Point = namedtuple("Point", "x y")
sys.modules["app"] = sys.modules["__main__"]
for c in (Own, Slots, Colour, Point): c.__module__ = "app"

def text(r): return "".join(r.choice("aé\"\\\u2028\U0001f600 <>&/\n\r\x1a\x00\ud800'") for _ in range(r.randrange(9)))

def value(r, depth, protocol):
    kind = r.randrange(27 if depth < 3 else 20)
    if kind == 0: return None
    if kind == 1: return r.random() < 0.5
    if kind == 2: return r.choice([0, 1, 255, 256, 65535, 65536, 2**31 - 1, 2**31, -1, -2**31, -2**31 - 1, 10**30, -10**30, 2**255, -2**255, 2**2100])
    if kind == 3: return r.choice([0.0, -0.0, 1.0, 1e300, 5e-324, float("inf"), -float("inf"), r.uniform(-9, 9), 1e16])
    if kind == 4: return text(r)
    if kind == 5: return r.randbytes(r.randrange(9))
    if kind == 6: return uuid.UUID(int=r.getrandbits(128))
    if kind == 7: return Markup(text(r).replace("\ud800", ""))
    if kind == 8: return datetime(r.randrange(1, 9999), 12, 31, 23, 59, 58, r.randrange(10**6))
    if kind == 9: return datetime(2024, 2, 29, 1, 2, 3, tzinfo=timezone(timedelta(hours=r.randrange(-12, 13))))
    if kind == 10: return r.choice([date(2024, 1, 2), time(1, 2, 3, 4), timedelta(days=-3, microseconds=5)])
    if kind == 11: return Decimal(r.choice(["1.10", "-0", "NaN", "1E+100"]))
    if kind == 12: return {1, "a", b"b", frozenset([2, 3])}
    if kind == 13: return frozenset(["x"])
    if kind == 14: return bytearray(b"ab\xff")
    if kind == 15: return complex(1, -2)
    if kind == 16: return Colour.RED
    if kind == 17: return range(3, 9, 2)
    if kind == 18: return r.choice([10**4299, "x" * 300, b"y" * 300])
    if kind == 19:
        if protocol < 2: return 7
        s = Slots(); s.a = 5; return s
    if kind == 20: return Point(value(r, depth + 1, protocol), 2)
    if kind == 21: return tuple(value(r, depth + 1, protocol) for _ in range(r.randrange(6)))
    if kind == 22: return [value(r, depth + 1, protocol) for _ in range(r.randrange(6))]
    if kind == 23: return {r.choice([" t", " d", " o", " x"]): value(r, depth + 1, protocol)}
    if kind == 24: return OrderedDict([(text(r), value(r, depth + 1, protocol)), ("z", 1)])
    if kind == 25: return Own(a=value(r, depth + 1, protocol), b={1: 2, (3, 4): [5]})
    return {text(r).replace("\ud800", "") + str(i): value(r, depth + 1, protocol) for i in range(r.randrange(5))}

def make(seed, protocol):
    r = random.Random(seed * 10 + protocol)
    session = {"k%d" % i: value(r, 0, protocol) for i in range(r.randrange(1, 8))}
    shared = [1, 2]
    session["shared"], session["again"] = shared, {"it": shared}
    return session

def same(a, b):
    if type(a) is not type(b): return False
    if isinstance(a, dict): return list(a) == list(b) and all(same(a[k], b[k]) for k in a)
    if isinstance(a, (list, tuple)): return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, Own): return same(vars(a), vars(b))
    if isinstance(a, Slots): return a.a == b.a
    if isinstance(a, float): return repr(a) == repr(b)
    if isinstance(a, Decimal): return str(a) == str(b)
    return a == b

cases = [(seed, protocol) for seed in range(100) for protocol in range(6)]
if sys.argv[1] == "make":
    json.dump([base64.b64encode(pickle.dumps(make(*c), c[1])).decode() for c in cases], sys.stdout)
else:
    for case, encoded in zip(cases, json.load(sys.stdin), strict=True):
        data = base64.b64decode(encoded)
        want, got = make(*case), pickle.loads(data)
        want["caddy"] = {"seen": [True, None, 1.5, -3, "é"]}
        want["made"] = (b"\xff", Markup("<b>"), uuid.UUID(int=7), datetime(2023, 11, 14, 22, 13, 20, tzinfo=timezone.utc))
        assert same(want, got), (case, want, got)
        assert got["shared"] is got["again"]["it"], (case, "shared")
        if case[1] >= 2: assert data[1] == case[1], (case, "protocol")
    print("same")
`
