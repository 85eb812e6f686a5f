// Package python holds Python values: as a tree that keeps every type, as the JSON that backends
// see, and as the tree that results when a backend changes that JSON. It never runs anything: an
// object of a class stays a description of how Python makes it.
package python

import (
	"slices"
	"strings"
)

// Value is a Python value: one of the types below. A pointer that occurs several times in a tree is
// one object in Python too. A decoded Value is never modified.
type Value any

// The values without identity: equal ones are the same.
type (
	// None is Python's None.
	None struct{}
	// Bool is a bool.
	Bool bool
	// Int is an int of any size, in decimal digits.
	Int string
	// Float is a float.
	Float float64
	// Float32 is a float that MessagePack stores in four bytes.
	Float32 float32
	// Str is a str, in UTF-8. Lone surrogates are encoded in three bytes, like other characters.
	Str string
	// OldStr is a str of Python 2, which consists of bytes.
	OldStr string
	// Bytes is a bytes object.
	Bytes string
	// ByteArray is a bytearray.
	ByteArray string
	// Global names a class or a function.
	Global struct{ Module, Name string }
	// Ext is an extension value of MessagePack.
	Ext struct {
		Type int8
		Data string
	}
)

// List is a list.
type List struct{ Items []Value }

// Tuple is a tuple.
type Tuple struct{ Items []Value }

// Set is a set or a frozenset.
type Set struct {
	Items  []Value
	Frozen bool
}

// Pair is an item of a [Dict].
type Pair struct{ Key, Value Value }

// Dict is a dict. Pairs are in the order of insertion; use [Dict.Add] to add one.
type Dict struct {
	Pairs []Pair
	index map[string]int // positions of the keys that are strings
}

// Text returns the text of a [Str] or [OldStr]. ok is false for other types.
func Text(key Value) (text string, ok bool) {
	switch k := key.(type) {
	case Str:
		return string(k), true
	case OldStr:
		return string(k), true
	default:
		return "", false
	}
}

// Add sets an item. Only the code that builds the dict may call it.
func (d *Dict) Add(key, value Value) {
	text, ok := Text(key)
	if ok {
		if i, found := d.index[text]; found {
			d.Pairs[i].Value = value
			return
		}
		if d.index == nil {
			d.index = make(map[string]int)
		}
		d.index[text] = len(d.Pairs)
	}
	d.Pairs = append(d.Pairs, Pair{key, value})
}

// Get returns the value under a string key.
func (d *Dict) Get(key string) (Value, bool) {
	i, found := d.index[key]
	if !found {
		return nil, false
	}
	return d.Pairs[i].Value, true
}

// Without returns a copy without the items under these string keys.
func (d *Dict) Without(keys ...string) *Dict {
	rest := new(Dict)
	for _, p := range d.Pairs {
		if text, ok := Text(p.Key); !ok || !slices.Contains(keys, text) {
			rest.Add(p.Key, p.Value)
		}
	}
	return rest
}

// Truth returns Python's bool(v). Objects and all types not listed are true.
func Truth(v Value) bool {
	switch v := v.(type) {
	case None:
		return false
	case Bool:
		return bool(v)
	case Int:
		return v != "0"
	case Float:
		return v != 0
	case Float32:
		return v != 0
	case Str:
		return v != ""
	case OldStr:
		return v != ""
	case Bytes:
		return v != ""
	case *List:
		return len(v.Items) > 0
	case *Tuple:
		return len(v.Items) > 0
	case *Dict:
		return len(v.Pairs) > 0
	default:
		return true
	}
}

// How is the way in which Python makes an [Object].
type How uint8

// The ways to make an object.
const (
	// Reduce calls the class, or a function, with the arguments.
	Reduce How = iota
	// NewObj calls __new__ of the class with the arguments.
	NewObj
	// NewObjEx calls __new__ of the class with arguments and keyword arguments.
	NewObjEx
)

// Object describes an object that only Python can make: an instance of a class.
type Object struct {
	How   How
	Class Global
	Args  Value
	// Kwargs are the keyword arguments for NewObjEx.
	Kwargs Value
	// Then are the steps after the object was made.
	Then []Step
}

// Step changes an object after it was made: sets its state, or adds items.
type Step struct {
	Do     StepKind
	Values []Value
}

// StepKind is the kind of a step.
type StepKind uint8

// The kinds of steps. Build sets the state, Append adds to a list, SetItems to a dict (keys and
// values alternate), AddItems to a set.
const (
	Build StepKind = iota
	Append
	SetItems
	AddItems
)

// forbidden are modules that no session needs: a pickle that names one could run a program, open a
// file or manipulate Python when the app loads it. Nothing is run here, but such a record is
// rejected.
var forbidden = set(`os posix nt ntpath posixpath subprocess sys importlib imp shutil socket ssl pty runpy code codeop ctypes _ctypes
	operator _operator functools _functools types pickle _pickle marshal shelve dill cloudpickle joblib multiprocessing _posixsubprocess
	threading _thread asyncio concurrent signal resource platform webbrowser antigravity timeit cProfile profile pdb bdb trace
	inspect gc atexit builtins __builtin__ copyreg copy_reg _codecs codecs io _io pathlib tempfile glob fileinput linecache
	urllib http ftplib smtplib telnetlib xmlrpc requests pip setuptools distutils site sysconfig weakref zipimport pkgutil commands popen2`)

// harmless are the names in forbidden modules that are values or make values.
var harmless = map[string]map[string]bool{
	"builtins":    set("set frozenset bytearray bytes complex object list dict tuple str int float bool range slice type Ellipsis NotImplemented " + iterators),
	"__builtin__": set("set frozenset bytearray bytes complex object list dict tuple str unicode int long float bool xrange slice type Ellipsis NotImplemented " + iterators),
	"copyreg":     set("_reconstructor __newobj__ __newobj_ex__"),
	"copy_reg":    set("_reconstructor __newobj__ __newobj_ex__"),
	"_codecs":     set("encode"),
	"pathlib":     set(paths),

	"pathlib._local":      set(paths), // Python 3.13
	"functools":           set("partial"),
	"http":                set("HTTPStatus HTTPMethod"),
	"http.cookiejar":      set("Cookie CookieJar DefaultCookiePolicy"),
	"http.cookies":        set("Morsel SimpleCookie BaseCookie"),
	"io":                  set("BytesIO StringIO"),
	"_io":                 set("BytesIO StringIO"),
	"operator":            set("itemgetter attrgetter"),
	"_operator":           set("itemgetter attrgetter"),
	"os":                  set("stat_result statvfs_result terminal_size times_result uname_result"),
	"platform":            set("uname_result"),
	"requests.cookies":    set("RequestsCookieJar create_cookie"),
	"requests.structures": set("CaseInsensitiveDict LookupDict"),
	"signal":              set("Signals Handlers Sigmasks"),
	"socket":              set("AddressFamily SocketKind"),
	"ssl":                 set("TLSVersion VerifyMode VerifyFlags"),
	"types":               set("SimpleNamespace GenericAlias UnionType"),
	"urllib.parse":        set("ParseResult ParseResultBytes SplitResult SplitResultBytes DefragResult DefragResultBytes"),
}

const (
	paths     = "Path PurePath PosixPath PurePosixPath WindowsPath PureWindowsPath"
	iterators = "iter reversed enumerate zip"
)

// isException reports whether g is a built-in exception class.
func (g Global) isException() bool {
	if g.Module != "builtins" && g.Module != "__builtin__" && g.Module != "exceptions" {
		return false
	}
	for _, end := range []string{"Error", "Exception", "Warning", "ExceptionGroup", "StopIteration", "KeyboardInterrupt", "SystemExit", "GeneratorExit"} {
		if strings.HasSuffix(g.Name, end) {
			return true
		}
	}
	return false
}

// IsGetattr reports whether g is getattr, which pickles call to get an attribute of a class.
func (g Global) IsGetattr() bool {
	return g.Name == "getattr" && (g.Module == "builtins" || g.Module == "__builtin__")
}

func set(words string) map[string]bool {
	s := make(map[string]bool)
	for word := range strings.FieldsSeq(words) {
		s[word] = true
	}
	return s
}

// Allowed reports whether a session may name g.
func (g Global) Allowed() bool {
	// Names such as __subclasses__ lead from any class to all others.
	if strings.Contains(g.Name, ".__") {
		return false
	}
	top, _, _ := strings.Cut(g.Module, ".")
	return !forbidden[top] || harmless[g.Module][g.Name] || g.isException()
}
