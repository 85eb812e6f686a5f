package main

// row is a line of a table: what is asked of a proxy, and what stands there before reverse_proxy.
type row struct {
	name    string
	handler string
	traffic traffic
	conns   int

	// visitors share the connections and take turns; 0 stands for one on each connection.
	visitors int

	// goal is the most that the ratio should be without the garbage collector; 0 for none.
	goal float64
}

// traffic is what the visitors ask for.
type traffic struct {
	// first is the path that gives a visitor the cookie; "" for none.
	first, path string

	// outcome is how caddy_session_requests_total counts these requests; "" if it does not.
	outcome string

	// saves says that each of them changes the session.
	saves bool
}

const (
	anonymousPath = "/"
	createPath    = "/?create"
	changePath    = "/?change"
	cookiePath    = "/?cookie" // the backend sets a cookie itself, as long as ours
	flaskPath     = "/?flask"  // the backend sets Flask's cookie
	basketPath    = "/?basket" // the backend sets a cookie that is kept in the vault
)

var (
	anonymous = traffic{path: anonymousPath, outcome: "anonymous"}
	other     = traffic{first: cookiePath, path: anonymousPath}
	forgotten = traffic{first: createPath, path: anonymousPath, outcome: "expired"}
	lost      = traffic{first: createPath, path: changePath, outcome: "expired", saves: true}
	read      = traffic{first: createPath, path: anonymousPath, outcome: "hit"}
	change    = traffic{first: createPath, path: changePath, outcome: "hit", saves: true}

	adoptRead   = traffic{first: flaskPath, path: anonymousPath, outcome: "hit"}
	adoptChange = traffic{first: flaskPath, path: flaskPath, outcome: "hit", saves: true}
	vaultRead   = traffic{first: basketPath, path: anonymousPath, outcome: "hit"}
	vaultChange = traffic{first: basketPath, path: basketPath, outcome: "hit", saves: true}
)

// site is how many live sessions the store of a site in use holds. Those that lie in the proxy's
// own memory cost the garbage collector time, and save some: the larger the heap, the less often it
// comes.
const site = 10_000

func session(options string) string { return "session {\n" + options + "\n}" }

func sql(kind, source string) string {
	return session("store sql " + kind + " " + source + " {\ncreate_table on\n}")
}

var (
	inMemory    = session("store memory")
	inBolt      = session("store bolt $DIR/sessions.db")
	inFile      = session("store file $DIR/sessions")
	inNone      = session("store none")
	inRedis     = session("store redis $REDIS")
	unpipelined = session("store redis $REDIS {\npipelining off\n}")
	nearCache   = session("store redis $REDIS {\nnear_cache\n}")
	inMemcached = session("store memcached $MEMCACHED")
	inMongoDB   = session("store mongodb $MONGODB")
	inSQLite    = sql("sqlite", "$DIR/sessions.sqlite")
	inPostgres  = sql("postgres", "$POSTGRES")
	inMariaDB   = sql("mysql", "$MARIADB")

	flask        = session("dialect flask {\nsecret " + flaskSecret + "\n}")
	flaskSession = session("store redis $REDIS\ndialect flask_session {\nuse_signer on\nsecret " + flaskSecret + "\n}")
	adopt        = session("store memory\nadopt flask {\nsecret " + flaskSecret + "\n}")
	vault        = session("store memory\nvault basket")
)

// theLeast is what every session handler does: see bench_least.
const theLeast = "a handler that does only what it must"

// requestRows are those with goals, and what they are to be seen beside.
var requestRows = []row{
	{"anonymous request, `bolt`", inBolt, anonymous, 8, 0, 1.02},
	{"anonymous request, " + theLeast, "bench_least `" + data + "`", traffic{path: anonymousPath}, 8, 0, 0},
	{"read, " + theLeast, "bench_least `" + data + "`", other, 8, 0, 0},
	{"read, `memory`, 8 connections", inMemory, read, 8, 0, 1.06},
	{"read, `memory`, 64 connections", inMemory, read, 64, 0, 1.06},
	{"read, `memory`, 10,000 visitors, 8 connections", inMemory, read, 8, site, 1.06},
	{"read, `bolt`, 8 connections", inBolt, read, 8, 0, 1.06},
	{"read, `bolt`, 64 connections", inBolt, read, 64, 0, 1.06},
	{"read, `bolt`, 10,000 visitors, 8 connections", inBolt, read, 8, site, 1.06},
	{"read, `redis`, `near_cache`, 8 connections", nearCache, read, 8, 0, 1.06},
	{"read, `redis`, `near_cache`, 64 connections", nearCache, read, 64, 0, 1.06},
	{"read, `redis`, 8 connections", inRedis, read, 8, 0, 1.20},
	{"read, `redis`, 64 connections", inRedis, read, 64, 0, 1.20},
	{"durable change, `bolt`, 64 connections", inBolt, change, 64, 0, 1.50},
}

// storeRows are over few connections, as some servers are slow at 64 changes at once.
var storeRows = []row{
	{"change, `memory`, 64 connections", inMemory, change, 64, 0, 0},
	{"durable change, `bolt`", inBolt, change, 8, 0, 0},
	{"read, `file`", inFile, read, 8, 0, 0},
	{"durable change, `file`", inFile, change, 8, 0, 0},
	{"a cookie of no session, `none`", inNone, forgotten, 8, 0, 0},
	{"change, `none`", inNone, lost, 8, 0, 0},
	{"change, `redis`, 64 connections", inRedis, change, 64, 0, 0},
	{"read, `redis`, `pipelining off`, 64 connections", unpipelined, read, 64, 0, 0},
	{"read, `memcached`", inMemcached, read, 8, 0, 0},
	{"change, `memcached`", inMemcached, change, 8, 0, 0},
	{"read, `mongodb` (FerretDB)", inMongoDB, read, 8, 0, 0},
	{"change, `mongodb` (FerretDB)", inMongoDB, change, 8, 0, 0},
	{"read, `sql sqlite`", inSQLite, read, 8, 0, 0},
	{"durable change, `sql sqlite`", inSQLite, change, 8, 0, 0},
	{"read, `sql postgres`", inPostgres, read, 8, 0, 0},
	{"change, `sql postgres`", inPostgres, change, 8, 0, 0},
	{"read, `sql mysql` (MariaDB)", inMariaDB, read, 8, 0, 0},
	{"change, `sql mysql` (MariaDB)", inMariaDB, change, 8, 0, 0},
}

// frameworkRows use the quickest store that each dialect and adopter can do with.
var frameworkRows = []row{
	{"read, `dialect native`, `memory`", inMemory, read, 8, 0, 0},
	{"change, `dialect native`, `memory`", inMemory, change, 8, 0, 0},
	{"read, `dialect flask`", flask, read, 8, 0, 0},
	{"change, `dialect flask`", flask, change, 8, 0, 0},
	{"read, `dialect flask_session`, `redis`", flaskSession, read, 8, 0, 0},
	{"change, `dialect native`, `redis`", inRedis, change, 8, 0, 0},
	{"change, `dialect flask_session`, `redis`", flaskSession, change, 8, 0, 0},
	{"read, `adopt flask`, `memory`", adopt, adoptRead, 8, 0, 0},
	{"change, `adopt flask`, `memory`", adopt, adoptChange, 8, 0, 0},
	{"read, `vault`, `memory`", vault, vaultRead, 8, 0, 0},
	{"change, `vault`, `memory`", vault, vaultChange, 8, 0, 0},
}
