// Package python holds the values of Python sessions: as a tree that keeps every type, as the JSON
// that backends are shown, and as what becomes of the tree when that JSON is changed. Nothing of a
// session is ever run: what only Python could make is kept as it was written.
package python

import "strings"

// Value is a Python value: one of the types below. A pointer that stands in several places is one
// object in Python too. Values are never changed once they have been decoded.
type Value any

// The values that are no objects of their own.
type (
	// None is Python's None.
	None struct{}
	// Bool is a bool.
	Bool bool
	// Int is an int of any size, in decimal digits.
	Int string
	// Float is a float.
	Float float64
	// Float32 is a number that MessagePack keeps in four bytes.
	Float32 float32
	// Str is a str, in UTF-8. Surrogates without a partner are encoded like other characters.
	Str string
	// OldStr is a str of Python 2, which has bytes.
	OldStr string
	// Bytes is a bytes object.
	Bytes string
	// ByteArray is a bytearray.
	ByteArray string
	// Global is a class or a function, by its name.
	Global struct{ Module, Name string }
	// Ext is an extension type of MessagePack.
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

// Pair is an item of a dict.
type Pair struct{ Key, Value Value }

// Dict is a dict, in the order of its items.
type Dict struct {
	Pairs []Pair
	index map[string]int // of the strings among the keys
}

// Text returns the text of a value that is a string.
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

// Add sets an item. It is for those who make the dict.
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

// Get returns the item under a string.
func (d *Dict) Get(key string) (Value, bool) {
	i, found := d.index[key]
	if !found {
		return nil, false
	}
	return d.Pairs[i].Value, true
}

// Without returns a dict without the items under some strings.
func (d *Dict) Without(keys ...string) *Dict {
	rest := new(Dict)
	for _, p := range d.Pairs {
		if text, ok := Text(p.Key); !ok || !contains(keys, text) {
			rest.Add(p.Key, p.Value)
		}
	}
	return rest
}

func contains(keys []string, key string) bool {
	for _, k := range keys {
		if k == key {
			return true
		}
	}
	return false
}

// Truth is Python's bool() of v, where v says it by itself: an object counts as true.
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

// How says how Python makes an [Object] of its class.
type How uint8

// The ways to make an object.
const (
	// Reduce calls the class, or a function, with the arguments.
	Reduce How = iota
	// NewObj calls the class's __new__ with the arguments.
	NewObj
	// NewObjEx does so with keyword arguments too.
	NewObjEx
)

// Object is what only Python can make: an instance of a class, by what was written of it.
type Object struct {
	How   How
	Class Global
	Args  Value
	// Kwargs are the keyword arguments of NewObjEx.
	Kwargs Value
	// Then is what is done with the object after it was made.
	Then []Step
}

// Step is what is done with an object: its state is set, or it is given items, as a list or as a
// dict.
type Step struct {
	Do     StepKind
	Values []Value
}

// StepKind is the kind of a step.
type StepKind uint8

// The kinds of steps. SetItems has keys and values in turn.
const (
	Build StepKind = iota
	Append
	SetItems
	AddItems
)

// forbidden are the modules that have nothing to do in a session: what is named there would run a
// program, open a file or take Python apart, if Python loaded it. None of it is ever run here; but
// a record that says so is not understood.
var forbidden = set(`os posix nt ntpath posixpath subprocess sys importlib imp shutil socket ssl pty runpy code codeop ctypes _ctypes
	operator _operator functools _functools types pickle _pickle marshal shelve dill cloudpickle joblib multiprocessing _posixsubprocess
	threading _thread asyncio concurrent signal resource platform webbrowser antigravity timeit cProfile profile pdb bdb trace
	inspect gc atexit builtins __builtin__ copyreg copy_reg _codecs codecs io _io pathlib tempfile glob fileinput linecache
	urllib http ftplib smtplib telnetlib xmlrpc requests pip setuptools distutils site sysconfig weakref zipimport pkgutil commands popen2`)

// harmless are the names of these modules that are values, or make them.
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

// isException reports whether a builtin is a class of exceptions.
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

// IsGetattr reports whether this is the function that pickles ask for a class's attribute.
func (g Global) IsGetattr() bool {
	return g.Name == "getattr" && (g.Module == "builtins" || g.Module == "__builtin__")
}

func set(words string) map[string]bool {
	s := make(map[string]bool)
	for _, word := range strings.Fields(words) {
		s[word] = true
	}
	return s
}

// Allowed reports whether a session may name this.
func (g Global) Allowed() bool {
	// What Python keeps in names such as __subclasses__ leads from any class to all others.
	if strings.Contains(g.Name, ".__") {
		return false
	}
	top, _, _ := strings.Cut(g.Module, ".")
	return !forbidden[top] || harmless[g.Module][g.Name] || g.isException()
}
