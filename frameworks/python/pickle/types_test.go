package pickle_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// typesProgram is a Python program that pickles a value of each type in every protocol that can
// hold it, and compares what it gets back.
const typesProgram = `
import array, base64, collections, datetime, decimal, enum, fractions, functools, http, io, ipaddress, json, operator, os, pathlib
import pickle, random, re, signal, socket, sys, time, types, urllib.parse, uuid, zoneinfo, dataclasses
import dateutil.tz, dateutil.relativedelta, pytz, bson, numpy, pandas, markupsafe
import werkzeug.datastructures

@dataclasses.dataclass(frozen=True)
class Data: a: int; b: list = dataclasses.field(default_factory=list)
@dataclasses.dataclass(slots=True)
class Slotted: a: int
class Outer:
    class Inner(enum.Enum): ONE = 1
    class Deep:
        class Deeper: pass
class Flag(enum.Flag): A = 1; B = 2
class Int(enum.IntEnum): A = 1
class Text(str): pass
class Map(dict): pass
class Named(collections.namedtuple("Named", "x y")): pass
def function(): pass
sys.modules["app"] = sys.modules["__main__"]
for c in (Data, Slotted, Outer, Outer.Inner, Outer.Deep, Outer.Deep.Deeper, Flag, Int, Text, Map, Named, function): c.__module__ = "app"

utc = datetime.timezone.utc
berlin = zoneinfo.ZoneInfo("Europe/Berlin")
values = {
    "zoneinfo": berlin, "datetime with ZoneInfo": datetime.datetime(2024, 7, 1, 12, tzinfo=berlin), "time with ZoneInfo": datetime.time(1, tzinfo=berlin),
    "datetimes that share a zone": [datetime.datetime(2024, 7, d, tzinfo=berlin) for d in (1, 2)], "fold": datetime.datetime(2024, 10, 27, 2, 30, fold=1, tzinfo=berlin),
    "utc": utc, "timezone with a name": datetime.timezone(datetime.timedelta(hours=1), "X"), "timedelta": datetime.timedelta(-1, 2, 3), "time": datetime.time(1, 2),
    "decimal": decimal.Decimal("1.10"), "decimal context": decimal.Context(prec=5), "fraction": fractions.Fraction(1, 3), "path": pathlib.Path("/a/b"), "pure path": pathlib.PureWindowsPath("c:/x"),
    "uuid": uuid.uuid5(uuid.NAMESPACE_DNS, "x"), "safe uuid": uuid.UUID(int=1, is_safe=uuid.SafeUUID.safe), "enum": Outer.Inner.ONE, "flag": Flag.A | Flag.B, "int enum": Int.A, "nested class": Outer.Deep.Deeper,
    "ordered dict": collections.OrderedDict(a=1), "defaultdict": collections.defaultdict(list, {"a": [1]}), "defaultdict of a function": collections.defaultdict(function), "counter": collections.Counter("aab"),
    "deque": collections.deque([1, 2], maxlen=3), "chain map": collections.ChainMap({"a": 1}), "user dict": collections.UserDict(a=1), "named tuple": Named(1, [2]),
    "ipv4": ipaddress.ip_address("127.0.0.1"), "ipv6 network": ipaddress.ip_network("::/64"), "interface": ipaddress.ip_interface("10.0.0.1/8"),
    "namespace": types.SimpleNamespace(a=1), "generic alias": list[int], "dataclass": Data(1, [2]), "slotted dataclass": Slotted(1), "sub str": Text("x"), "sub dict": Map(a=1),
    "pattern": re.compile("a+", re.I), "array": array.array("i", [1, 2]), "random": random.Random(1), "struct_time": time.gmtime(0), "stat": os.stat("/"), "partial": functools.partial(int, base=2),
    "itemgetter": operator.itemgetter(1), "bytes io": io.BytesIO(b"abc"), "string io": io.StringIO("abc"), "range": range(3), "slice": slice(1, 2), "complex": 1j, "class": Data, "builtin class": int, "function": function,
    "none type": type(None), "ellipsis": ..., "not implemented": NotImplemented, "iterator": iter([1, 2]), "exception": ValueError("x"), "os error": FileNotFoundError(2, "x"), "group": ExceptionGroup("g", [KeyError("k")]),
    "url": urllib.parse.urlsplit("http://a/b?c"), "parse result": urllib.parse.urlparse("http://a/b;c"), "status": http.HTTPStatus.OK, "signal": signal.SIGINT, "family": socket.AF_INET,
    "markup": markupsafe.Markup("<b>"), "multi dict": werkzeug.datastructures.MultiDict([("a", 1), ("a", 2)]), "immutable multi dict": werkzeug.datastructures.ImmutableMultiDict({"a": 1}), "headers": werkzeug.datastructures.Headers([("a", "b")]),
    "object id": bson.ObjectId("0123456789abcdef01234567"), "decimal128": bson.Decimal128("1.5"), "regex": bson.Regex("a"), "bson datetime": datetime.datetime(2024, 1, 1, tzinfo=bson.tz_util.utc),
    "pytz": datetime.datetime(2024, 1, 1, tzinfo=pytz.utc), "pytz zone": pytz.timezone("Europe/Berlin").localize(datetime.datetime(2024, 7, 1)), "pytz fixed": pytz.FixedOffset(60),
    "dateutil utc": datetime.datetime(2024, 1, 1, tzinfo=dateutil.tz.tzutc()), "dateutil zone": datetime.datetime(2024, 1, 1, tzinfo=dateutil.tz.gettz("Europe/Berlin")), "offset": dateutil.tz.tzoffset("X", 3600), "relative": dateutil.relativedelta.relativedelta(months=1),
    "numpy int": numpy.int64(5), "numpy float": numpy.float64(1.5), "numpy bool": numpy.bool_(True), "numpy str": numpy.str_("x"), "numpy datetime": numpy.datetime64("2024-01-01"), "numpy array": numpy.arange(6).reshape(2, 3), "strings": numpy.array(["a", "b"]), "dtype": numpy.dtype("i4"),
    "objects": numpy.array([None, "x"], dtype=object), "structured": numpy.zeros(2, dtype=[("a", "i4"), ("b", "f8")]), "generator": numpy.random.default_rng(1),
    "timestamp": pandas.Timestamp("2024-01-01", tz="Europe/Berlin"), "pandas timedelta": pandas.Timedelta("1D"), "period": pandas.Period("2024-01"), "series": pandas.Series([1, 2]), "frame": pandas.DataFrame({"a": [1, 2], "b": ["x", "y"], "t": pandas.to_datetime(["2024-01-01", "2024-01-02"])}), "NaT": pandas.NaT, "NA": pandas.NA, "categorical": pandas.Categorical(["a", "b"]),
}
def pickles():
    for name, value in values.items():
        for protocol in range(6):
            try: yield name, protocol, pickle.dumps({"value": value, "again": [value]}, protocol)
            except (TypeError, pickle.PicklingError, ValueError): assert protocol < 2, name
def text(v):
    if isinstance(v, (bytes, str)) or not hasattr(v, "__dict__") or type(v).__repr__ is not object.__repr__: return repr(v)
    return repr(sorted((k, text(x)) for k, x in vars(v).items()))
def content(v):
    # Values are equal if Python pickles them alike.
    return pickle.dumps(v, 5)
if sys.argv[1] == "make":
    json.dump([[n, p, base64.b64encode(b).decode()] for n, p, b in pickles()], sys.stdout)
else:
    changed = json.load(sys.stdin)
    for (name, protocol, before), after in zip(pickles(), changed, strict=True):
        want, got = pickle.loads(before), pickle.loads(base64.b64decode(after))
        assert got.pop("caddy") and got.pop("made")
        for k in ("value", "again"):
            assert type(want[k]) is type(got[k]), (name, protocol)
        try: alike = content(want["value"]) == content(got["value"]) or re.sub("0x[0-9a-f]+", "", text(want["value"])) == re.sub("0x[0-9a-f]+", "", text(got["value"]))
        except (TypeError, pickle.PicklingError): alike = True
        assert alike, (name, protocol, want, got)
        first = list(got["again"])[0]
        assert (got["value"] is first) == (want["value"] is want["again"][0]), (name, protocol, "shared")
    print("same", len({n for n, _, _ in pickles()}))
`

// A value of any type of the standard library and of common packages is shown, as a marker at
// least, and stays the same when something beside it changes. No such value makes a session
// unreadable.
func TestLiveTypes(t *testing.T) {
	interpreter := os.Getenv("SESSION_TEST_PYTHON")
	if interpreter == "" {
		if os.Getenv("CI") == "true" {
			t.Fatal("SESSION_TEST_PYTHON is not set: it must name a python3 with the packages of test/requirements.txt")
		}
		t.Skip("SESSION_TEST_PYTHON is not set; test/run.sh sets it")
	}
	run := func(input, arg string) []byte {
		t.Helper()
		command := exec.CommandContext(t.Context(), interpreter, "-c", typesProgram, arg)
		command.Stdin, command.Stderr = strings.NewReader(input), os.Stderr
		out, err := command.Output()
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	var made [][3]any
	if err := json.Unmarshal(run("", "make"), &made); err != nil || len(made) < 500 {
		t.Fatalf("%d pickles, %v", len(made), err)
	}
	var changed [][]byte
	for _, m := range made {
		text, err := json.Marshal(m[2])
		var data []byte
		if err != nil || json.Unmarshal(text, &data) != nil {
			t.Fatal(err)
		}
		t.Run(strings.ReplaceAll(m[0].(string), " ", "_"), func(t *testing.T) {
			changed = append(changed, change(t, data))
		})
	}
	if t.Failed() {
		return
	}
	input, err := json.Marshal(changed)
	if err != nil {
		t.Fatal(err)
	}
	if out := run(string(input), "compare"); !strings.HasPrefix(string(out), "same ") {
		t.Errorf("Python reports %q", out)
	}
}
