<?php
// Pages of an app that knows nothing of a proxy. Each request does one thing, by its parameter "do".

spl_autoload_register(function ($class) {
    if ($class === 'Old') {
        require __DIR__ . '/older.php';
    } elseif (PHP_VERSION_ID >= 80100) {
        echo "[$class is needed]";
        require_once __DIR__ . '/newer.php';
    }
});
if (PHP_VERSION_ID >= 80100 && !isset($_GET['autoload'])) {
    require __DIR__ . '/newer.php';
}

class Cart
{
    public $items = ['tea'];
    private $total = 1.5;
    protected $owner = "Zo\xc3\xab";
    public $woken = 0;

    public function __wakeup()
    {
        $this->woken++;
    }
}

class Saved
{
    public $items;
}

class Saver
{
    public function __destruct()
    {
        $_SESSION['by'] = 'destructor';
    }
}

/** An object that encodes a part of itself in place: it must be asked once only. */
class Sleeper
{
    public $data = [];

    public function __sleep()
    {
        $this->data = serialize($this->data);
        return ['data'];
    }

    public function __wakeup()
    {
        $this->data = unserialize($this->data);
    }
}

class Noisy
{
    public function __sleep()
    {
        echo 'noise';
        return [];
    }
}

/** An object that PHP warns of whenever it encodes it. */
class Misnamed
{
    public $data = 1;

    public function __sleep()
    {
        return ['data', 'another'];
    }
}

/** An app's own store of sessions, in files beside PHP's. */
class OwnHandler implements SessionHandlerInterface
{
    private $file;

    #[\ReturnTypeWillChange]
    public function open($path, $name)
    {
        $this->file = "$path/own_";
        return true;
    }

    #[\ReturnTypeWillChange]
    public function close()
    {
        return true;
    }

    #[\ReturnTypeWillChange]
    public function read($id)
    {
        return (string) @file_get_contents($this->file . $id);
    }

    #[\ReturnTypeWillChange]
    public function write($id, $data)
    {
        return file_put_contents($this->file . $id, $data) !== false;
    }

    #[\ReturnTypeWillChange]
    public function destroy($id)
    {
        return @unlink($this->file . $id);
    }

    #[\ReturnTypeWillChange]
    public function gc($lifetime)
    {
        return 0;
    }
}

function show(): void
{
    @session_start();
    header('Content-Type: text/plain');
    echo serialize($_SESSION), "\n";
}

/** Lets the headers go, and a part of the page. */
function leave(): void
{
    echo 'page';
    ob_flush();
    flush();
}

/** Waits until another page says "got it", and lets it know that there is somebody. */
function meet(): void
{
    touch(session_save_path() . '/begun');
    for ($i = 0; $i < 2000 && !file_exists(session_save_path() . '/got it'); $i++) {
        usleep(10000);
    }
    unlink(session_save_path() . '/got it');
}

function set(string $name, $value): void
{
    session_start();
    $_SESSION[$name] = $value;
}

/** Returns a random value. */
function random(int $depth)
{
    switch (mt_rand(0, $depth > 0 ? 11 : 8)) {
        case 0:
            return null;
        case 1:
            return (bool) mt_rand(0, 1);
        case 2:
            return mt_rand(0, 3) ? mt_rand(-99, 99) : PHP_INT_MAX - mt_rand(0, 9);
        case 3:
            return mt_rand(-999, 999) / [1, 3, 7, 1e-300, 1e300][mt_rand(0, 4)];
        case 4:
            return ['', '0', '-1', ' b', ' p', "\x7f", "Zo\xc3\xab", "\u{1F375}", "\r\n", 'null', '{}'][mt_rand(0, 10)];
        case 5:
            return substr(md5((string) mt_rand(), true), 0, mt_rand(0, 16));
        case 6:
            return [NAN, INF, -INF, -0.0, 1.0][mt_rand(0, 4)];
        case 7:
            $cart = isset($_GET['lane']) ? new Saved : new Cart; // a cart changes in the pages of other lanes too
            $cart->items = [mt_rand(0, 9)];
            return $cart;
        case 8:
            return [];
        case 9:
            return array_map('random', array_fill(0, mt_rand(1, 3), $depth - 1));
        default:
            $map = [];
            for ($i = mt_rand(1, 5); $i > 0; $i--) {
                $map[key_of_random()] = random($depth - 1);
            }
            return $map;
    }
}

function key_of_random()
{
    return ['a', 'b', 'c', '', '0', 1, '01', 'a/b', 'a~1', ' b', ' p', "Zo\xc3\xab", "\xff", "\0x", 'x.y'][mt_rand(0, 14)];
}

/** Changes some of the members of an array. */
function mutate(array &$map, int $depth): void
{
    for ($i = mt_rand(1, 3); $i > 0; $i--) {
        $key = key_of_random();
        if ($depth > 0 && is_array($map[$key] ?? null) && mt_rand(0, 3)) {
            mutate($map[$key], $depth - 1);
        } elseif (mt_rand(0, 3) || $depth === 3) {
            $map[$key] = random($depth);
        } else {
            unset($map[$key]);
        }
    }
}

/** Makes a random change to the session. */
function change(int $seed): void
{
    mt_srand($seed);
    $name = 'k' . mt_rand(0, 3);
    $_SESSION[$name] = $_SESSION[$name] ?? [];
    mutate($_SESSION[$name], 3);
}

/** Does something random to the session, and returns what. */
function step(bool &$flushed, bool &$renewed): string
{
    static $used = [];
    $open = session_status() === PHP_SESSION_ACTIVE;
    $what = mt_rand(0, 15);
    $used += $open || $what === 3 ? [session_name() => true] : [];
    switch ($what) {
        case 0:
        case 1:
        case 2:
            return 'start ' . json_encode(@session_start());
        case 3:
            return 'read and close ' . json_encode(@session_start(['read_and_close' => true]));
        case 4:
        case 5:
            $_SESSION = ($open ? $_SESSION : []) + ['k' . mt_rand(0, 3) => [1, 'x', ['a' => mt_rand(0, 9)], null, 1.5, new Saved][mt_rand(0, 5)]];
            return 'set';
        case 6:
            $_SESSION['m'][mt_rand(0, 4)]['n'] = mt_rand(0, 3);
            return 'set deeper';
        case 7:
            unset($_SESSION['k' . mt_rand(0, 3)]);
            return 'unset';
        case 8:
            return 'close ' . json_encode(@session_write_close());
        case 9: // after a flush, and after a new id, this and the next are not as without the proxy
            return 'abort ' . json_encode(!$flushed && !$renewed && @session_abort());
        case 10:
            return 'reset ' . json_encode(!$flushed && !$renewed && @session_reset());
        case 11:
            $renewed = $renewed || $open;
            return 'new id ' . json_encode(@session_regenerate_id(true));
        case 12:
            $renewed = false;
            return 'destroy ' . json_encode(@session_destroy());
        case 13:
            return 'unset all ' . json_encode(@session_unset());
        case 14:
            $name = ['PHPSESSID', 'OTHER', 'S1'][mt_rand(0, 2)];
            if (!$open && !isset($used[$name])) { // or $_COOKIE may have a former id
                @session_name($name);
                @session_id($_COOKIE[session_name()] ?? '');
            }
            return 'name ' . session_name();
        default:
            if (!$flushed && mt_rand(0, 2) === 0) {
                $flushed = true;
                leave();
            }
            return 'flush';
    }
}

switch ($_GET['do'] ?? 'show') {
    case 'show':
        show();
        break;
    case 'nothing':
        echo 'no session';
        break;
    case 'types':
        set('types', [
            'null' => null, 'true' => true, 'int' => PHP_INT_MAX, 'min' => PHP_INT_MIN, 'float' => 0.1 + 0.2, 'one' => 1.0, 'tiny' => 5e-324, 'minus zero' => -0.0,
            'nan' => NAN, 'inf' => INF, 'text' => "Zo\xc3\xab \x7f \u{1F375} </script>\r\n", 'bytes' => "\xff\x00\xfe", 'empty' => [], 'list' => [1, [2, null]],
            'sparse' => [3 => 'x', 7 => 'y'], 'mixed' => ['b' => 1, 'a' => 2, 5 => 3], 'binary keys' => ["\xff" => 1], 'looks like a tag' => [' b' => 'eA=='],
            '' => 'empty key', 'a/b~c' => 1,
        ]);
        $_SESSION['number keys'] = [10 => ['x'], '011' => 1];
        break;
    case 'objects':
        set('cart', new Cart);
        $_SESSION['newer'] = PHP_VERSION_ID >= 80100 ? newer() : [];
        $_SESSION['time'] = new DateTimeImmutable('2026-01-02 03:04:05 UTC');
        $_SESSION['plain'] = (object) ['a' => (object) []];
        break;
    case 'buy':
        set('seen', 1);
        $_SESSION['cart']->items[] = 'milk';
        break;
    case 'references':
        session_start();
        $item = ['x'];
        $_SESSION['refs'] = ['a' => &$item, 'b' => &$item];
        $same = new Cart;
        $_SESSION['twice'] = [$same, $same];
        break;
    case 'use references':
        session_start();
        $_SESSION['refs']['a'][] = 'y';
        $_SESSION['twice'][0]->items[] = 'milk';
        break;
    case 'nested':
        session_start();
        $_SESSION['deep']['user']['name'] = $_GET['value'] ?? 'x';
        $_SESSION['deep'][$_GET['key'] ?? 'k'] = ['n' => null];
        break;
    case 'order':
        session_start();
        $_SESSION['map'] = ['c' => 1] + array_reverse($_SESSION['map'] ?? ['a' => 1, 'b' => [' p' => 'no tag']], true);
        break;
    case 'remove':
        session_start();
        unset($_SESSION['deep']['user'], $_SESSION['types'], $_SESSION['cart']);
        break;
    case 'many':
        session_start();
        foreach (range(1, 400) as $i) {
            $_SESSION['many']["k$i"] = null;
        }
        break;
    case 'exit':
        set('by', 'exit');
        exit('bye');
    case 'redirect':
        set('by', 'redirect');
        header('Location: /?do=show', true, 303);
        exit;
    case 'exception':
        set('by', 'exception');
        throw new Exception('not caught');
    case 'fatal':
        set('by', 'fatal error');
        undefined_function();
        break;
    case 'time limit':
        set('by', 'time limit');
        set_time_limit(1);
        while (true) {
        }
    case 'close':
        set('by', 'close');
        session_write_close();
        $_SESSION['after'] = 'lost';
        break;
    case 'reopen':
        set('by', 'first');
        session_write_close();
        session_start();
        $_SESSION['and'] = $_SESSION['by'] . ' and second';
        session_commit();
        break;
    case 'read and close':
        session_start(['read_and_close' => true]);
        $_SESSION['by'] = 'lost';
        break;
    case 'abort':
        set('by', 'lost');
        session_abort();
        break;
    case 'reset':
        session_start();
        $_SESSION['by'] = 'lost';
        $_SESSION['more'] = 'lost';
        session_reset();
        break;
    case 'unset':
        session_start();
        session_unset();
        $_SESSION['by'] = 'unset';
        break;
    case 'shutdown':
        session_start();
        register_shutdown_function(function () {
            $_SESSION['by'] = 'shutdown function';
        });
        echo 'page';
        break;
    case 'destructor':
        session_start();
        $saver = new Saver;
        echo 'page';
        break;
    case 'buffers':
        set('by', 'buffers');
        echo 'head';
        ob_flush();
        echo 'tail', ob_get_level();
        $tail = ob_get_contents();
        ob_start();
        echo 'inner';
        $inner = ob_get_clean();
        echo json_encode([$tail, $inner, ob_end_flush(), ob_get_level()]);
        break;
    case 'flush in a callback':
        session_start();
        ob_start(function ($page) {
            $_SESSION['by'] = 'before the flush';
            flush();
            $_SESSION['after'] = strlen($page);
            return "$page!";
        }, 10);
        echo str_repeat('x', 25), "\n";
        echo 'tail';
        break;
    case 'output callback':
        session_start();
        ob_start(function ($page) {
            $_SESSION['by'] = 'output callback';
            return $page;
        });
        echo 'page';
        break;
    case 'own header callback':
        header_register_callback(function () {
            header('X-Own: 1');
        });
        set('by', 'own header callback');
        echo 'page';
        break;
    case 'no headers':
        set('by', 'header_remove');
        header_remove();
        break;
    case 'large page':
        set('by', 'large page');
        echo str_repeat('x', 900000);
        $_SESSION['after'] = 'the page';
        break;
    case 'early flush':
        set('by', 'before the flush');
        echo 'page';
        ob_flush();
        flush();
        break;
    case 'flush alone':
        set('by', 'before the flush');
        echo 'head';
        flush();
        echo 'tail';
        break;
    case 'late, flush alone':
        set('early', 1);
        echo 'head';
        flush();
        $_SESSION['by'] = 'after the flush';
        echo 'tail';
        break;
    case 'regenerate':
        set('by', 'regenerate');
        session_regenerate_id((bool) ($_GET['delete'] ?? false));
        $_SESSION['after'] = 'regenerate';
        break;
    case 'manual':
        // The pattern of PHP's manual.
        set('old', 1);
        $new = session_create_id('prefix-');
        session_commit();
        ini_set('session.use_strict_mode', '0');
        session_id($new);
        session_start();
        $_SESSION['by'] = 'manual';
        break;
    case 'destroy':
        session_start();
        $_SESSION = [];
        setcookie(session_name(), '', 1, '/');
        session_destroy();
        break;
    case 'destroy and start':
        session_start();
        session_destroy();
        session_start();
        $_SESSION = ['by' => 'the new one'];
        break;
    case 'another name':
        session_name('OTHER');
        session_start();
        $_SESSION['here'] = ($_SESSION['here'] ?? 0) + 1;
        echo serialize($_SESSION);
        break;
    case 'destroy another name':
        session_name('OTHER');
        session_start();
        session_destroy();
        break;
    case 'two names':
        set('first', 1);
        session_write_close();
        session_name('OTHER');
        session_id($_COOKIE['OTHER'] ?? '');
        session_start();
        $_SESSION['second'] = 2;
        echo serialize($_SESSION);
        break;
    case 'another name for the same':
        set('first', 1);
        session_write_close();
        session_name('ALIAS');
        session_start(); // PHP goes on with the id
        $_SESSION['second'] = ($_SESSION['second'] ?? 0) + 1;
        echo serialize($_SESSION);
        break;
    case 'the same by another name':
        session_name('ALIAS');
        session_start();
        echo serialize($_SESSION);
        $_SESSION['third'] = 1;
        break;
    case 'encode':
        session_start();
        $text = session_encode();
        $_SESSION = [];
        session_decode($text);
        $_SESSION['by'] = 'session_decode';
        break;
    case 'cookies':
        session_start();
        echo isset($_COOKIE[session_name()]) ? 'cookie' : 'none', ' ', SID === '' ? 'no SID' : 'SID';
        break;
    case 'own cookies':
        setcookie('theme', 'dark');
        set('by', 'own cookies');
        setcookie('lang', 'en');
        break;
    case 'dump':
        phpinfo();
        var_dump($_SERVER, $_ENV, getenv());
        break;
    case 'id of the client':
        session_id($_GET['session']);
        session_start();
        echo $_SESSION['calls'] = ($_SESSION['calls'] ?? 0) + 1;
        break;
    case 'shared id':
        session_id('shared');
        session_start();
        $_SESSION['everybody'] = 1;
        break;
    case 'random':
        session_start();
        echo serialize($_SESSION);
        change((int) $_GET['seed']);
        break;
    case 'random steps':
        mt_srand((int) $_GET['seed']);
        $flushed = $renewed = false;
        $done = '';
        for ($i = mt_rand(2, 9); $i > 0; $i--) {
            $done .= step($flushed, $renewed) . ': ';
            if (session_status() === PHP_SESSION_ACTIVE) {
                $found = $_SESSION;
                ksort($found); // the order of the members is not kept if one goes and comes again
                $done .= serialize($found);
            }
            $done .= "\n";
        }
        echo $done;
        break;
    case 'random sessions':
        // Sessions of several names, one after the other.
        $found = '';
        for ($i = 0; $i < $_GET['sessions']; $i++) {
            session_name($i > 0 ? "S$i" : 'PHPSESSID');
            session_id($_COOKIE[session_name()] ?? '');
            session_start();
            $found .= serialize($_SESSION) . "\n";
            change($_GET['seed'] + $i);
            session_write_close();
        }
        echo $found;
        break;
    case 'slow':
        session_start();
        usleep(50000);
        $_SESSION[$_GET['key']] = 1;
        $_SESSION["object of $_GET[key]"] = new Saved;
        $_SESSION['tree'][$_GET['key']] = ['at' => 1, 'object' => new Saved, 'more' => ['below' => ['x' => 1]]];
        $_SESSION['other tree'][$_GET['key']] = 1;
        break;
    case 'count':
        session_start();
        $n = $_SESSION['n'] ?? 0;
        usleep(20000);
        $_SESSION['n'] = $n + 1;
        $_SESSION['list'][] = $n;
        break;
    case 'null':
        session_start();
        $_SESSION = null;
        break;
    case 'closure':
        set('by', function () {
        });
        echo 'page';
        break;
    case 'callback and close':
        header_register_callback(function () {
            header('X-Own: 1');
        });
        set('by', 'closed before the headers');
        session_write_close();
        echo str_repeat('x', 2000000);
        break;
    case 'no array':
        session_start();
        $_SESSION = ['text', 7, new ArrayObject(['a' => 1]), false][(int) $_GET['which']];
        break;
    case 'no variable':
        set('by', 'what has no variable any more');
        unset($_SESSION);
        echo $_GET['page'] ?? '';
        break;
    case 'bar':
        set('a|b', 1);
        $_SESSION['by'] = 'beside the bar';
        break;
    case 'sleeper':
        session_start();
        $_SESSION['sleeper'] = $_SESSION['sleeper'] ?? new Sleeper;
        $_SESSION['sleeper']->data[] = 'page';
        echo $_GET['page'] ?? '';
        break;
    case 'serializable':
        session_start();
        $same = new Cart;
        $_SESSION = ['first' => [$same, $same], 'old' => [1, new Old], 'by' => 'serializable', 'same' => [$same, &$_SESSION['same']]];
        echo 'page';
        break;
    case 'object beside':
        session_start();
        $_SESSION['deep']['cart'] = new Cart;
        break;
    case 'memory limit':
        set('by', 'memory limit');
        ini_set('memory_limit', '8M');
        echo 'page';
        for ($all = []; true;) {
            $all[] = str_repeat('x', 1000);
        }
    case 'one large block':
        // Its limit was far away, and still is for a shutdown function.
        set('by', 'one large block');
        ini_set('memory_limit', '64M');
        register_shutdown_function(function () {
            $_SESSION['after'] = strlen(str_repeat('y', 40 << 20));
        });
        echo str_repeat('x', 200 << 20);
        break;
    case 'noise':
        set('by', 'noise');
        mt_srand(1);
        for ($i = 0; $i < 6000; $i++) {
            echo md5((string) mt_rand());
        }
        $_SESSION['after'] = 'the noise';
        break;
    case 'stream':
        // It ends when the visitor says that he has the first event.
        set('by', 'stream');
        session_write_close();
        header('Content-Type: text/event-stream');
        echo "data: first\n\n";
        flush();
        $got = session_save_path() . '/got it';
        for ($i = 0; $i < 1000 && !file_exists($got); $i++) {
            usleep(10000);
        }
        echo @unlink($got) ? "data: last\n\n" : 'nobody has the first event';
        break;
    case 'progress':
        // It shows its first step, goes on when another page has looked, and shows the others.
        set('step', 0);
        session_write_close();
        ini_set('session.use_cookies', '0'); // so that PHP opens it after the headers
        ini_set('session.cache_limiter', '');
        if (isset($_GET['flush'])) {
            leave();
        }
        meet();
        for ($i = 1; $i <= ($_GET['steps'] ?? 0); $i++) {
            set('step', $i);
            session_write_close();
        }
        session_start();
        echo 'cancel: ', $_SESSION['cancel'] ?? 'no';
        break;
    case 'cancel':
        session_start();
        echo 'step ', $_SESSION['step'] ?? 'none';
        $_SESSION['cancel'] = 'yes';
        break;
    case 'log in':
        set('user', ['name' => 'zoe']);
        break;
    case 'seen':
        // It is still under way when another page logs out.
        session_start();
        meet();
        $_SESSION['user']['seen'] = 1;
        break;
    case 'forget the user':
        session_start();
        unset($_SESSION['user']);
        break;
    case 'begun':
        echo @unlink(session_save_path() . '/begun') ? 'yes' : 'no';
        break;
    case 'got it':
        touch(session_save_path() . '/got it');
        break;
    case 'link':
        session_start();
        echo '<a href="/next">next</a>';
        break;
    case 'objects and maps':
        session_start();
        for ($i = 0; $i < 100; $i++) {
            $_SESSION['mixed']["object $i"] = new Saved;
            $_SESSION['mixed']["map $i"] = ['a/b~c' => ['x' => $i, 'object' => new Saved, 'map' => ['y' => 1]]];
        }
        break;
    case 'lanes':
        set('lanes', ['none' => 1]);
        break;
    case 'random lane':
        // Other pages of the same session run at once, in lanes of their own.
        session_start();
        $lane = $_GET['lane'];
        echo serialize([$_SESSION["lane $lane"] ?? [], $_SESSION['lanes'][$lane] ?? []]);
        mt_srand((int) $_GET['seed']);
        foreach ([&$_SESSION["lane $lane"], &$_SESSION['lanes'][$lane]] as &$map) {
            $map = $map ?? [];
            mutate($map, 3);
        }
        break;
    case 'recursion':
        session_start();
        $loop = ['x' => 1];
        $loop['self'] = &$loop;
        $_SESSION['loop'] = $loop;
        $node = new stdClass;
        $node->self = $node;
        $_SESSION['node'] = [$node];
        break;
    case 'through a reference':
        session_start();
        $alias = &$_SESSION;
        $alias['by'] = 'reference';
        $member = &$_SESSION['deep']['member'];
        $member = [1, 2];
        break;
    case 'handler after start':
        session_start();
        echo @session_set_save_handler(new OwnHandler, true) ? 'taken' : 'refused';
        $_SESSION['by'] = 'PHP';
        break;
    case 'generator':
        session_start();
        $pages = (function () {
            try {
                for ($i = 0; $i < 3; $i++) {
                    $_SESSION['pages'][] = $i;
                    yield "page $i\n";
                }
            } finally {
                $_SESSION['by'] = 'the end of a generator';
            }
        })();
        echo $pages->current(); // and it is never finished
        break;
    case 'generator is kept':
        set('by', (function () {
            yield 1;
        })());
        echo 'page';
        break;
    case 'callback that closes':
        session_start();
        ob_start(function ($page) {
            $_SESSION['n'] = strlen($page);
            return $page . ob_get_level();
        }, 10);
        echo str_repeat('x', 95);
        break;
    case 'large':
        session_start();
        $_SESSION['large'] = str_repeat($_GET['of'], (int) $_GET['size']);
        echo 'page';
        break;
    case 'exclamation marks':
        session_start();
        $_SESSION['a!b'] = ($_SESSION['a!b'] ?? 0) + 1;
        $_SESSION['!'] = ['!x' => 1];
        break;
    case 'upload progress':
        // Settings of the session can be changed, or no script may have a store of its own.
        echo (bool) ini_get('session.upload_progress.enabled') ? 'on' : 'off';
        try {
            ini_set('session.use_strict_mode', '1');
        } catch (Error $e) {
            echo ', fixed';
        }
        break;
    case 'own names':
        session_start();
        $name = '__PHP_Incomplete_Class_Name';
        $_SESSION += ['c' => $name, 'd' => [$name => 'Cart'], 'e' => (object) ['x' => "s:27:\"$name\";", 'y' => $name, 'z' => [[$name => 1]]]];
        $_SESSION += [' p' => 'x.y', ' b' => 'eA==', 'a' => [' sid' => 1], '0x' => 1, '' => 'empty', '-' => ['' => ['' => 1]]];
        break;
    case 'nested deep':
        session_start();
        $value = ['end'];
        for ($i = 0; $i < 600; $i++) {
            $value = ['k' => $value];
        }
        $_SESSION['nested deep'] = $value;
        break;
    case 'nested deep, changed':
        session_start();
        $value = &$_SESSION['nested deep'];
        for ($i = 0; $i < 600; $i++) {
            $value = &$value['k'];
        }
        $value[] = 'more';
        break;
    case 'closed, and destroyed':
        set('by', 'x');
        session_write_close();
        echo @session_destroy() ? 'destroyed' : 'not destroyed';
        break;
    case 'odd names':
        session_start();
        $_SESSION["\0name"] = $_SESSION["\xff"] = $_SESSION[' sid'] = 'lost';
        break;
    case 'noisy':
        set('noisy', new Noisy);
        echo 'page';
        if (isset($_GET['flush'])) {
            ob_flush();
        }
        break;
    case 'warned':
        $cart = new Cart;
        set('deep', isset($_GET['deep']) ? ['list' => [new Misnamed]] : 'not yet');
        $_SESSION['warned'] = new Misnamed;
        $_SESSION['carts'] = [$cart, $cart, [&$cart, &$cart]];
        break;
    case 'flush while encoding':
        $cart = new Cart;
        set('carts', [$cart, $cart]);
        set_error_handler(function () {
            leave();
            return true;
        });
        echo serialize([$cart, new Misnamed, $cart, [new Cart, new Misnamed]]);
        restore_error_handler();
        break;
    case 'hostile':
        set('profile', json_decode('{"__PHP_Incomplete_Class_Name":"Saver","by":"nobody"}'));
        break;
    case 'own handler':
        session_set_save_handler(new OwnHandler, true);
        session_start();
        $_SESSION['own'] = ($_SESSION['own'] ?? 0) + 1;
        echo serialize($_SESSION);
        break;
    case 'own functions':
        // The classic way to an own store. It counts how often it is asked to write.
        $name = session_save_path() . '/functions_';
        $true = function () {
            return true;
        };
        session_set_save_handler($true, $true, function ($id) use ($name) {
            return (string) @file_get_contents($name . $id);
        }, function ($id, $data) use ($name) {
            file_put_contents($name . 'count', '.', FILE_APPEND);
            return file_put_contents($name . $id, $data) !== false;
        }, function ($id) use ($name) {
            return @unlink($name . $id);
        }, $true);
        session_start();
        if (isset($_GET['regenerate'])) {
            session_regenerate_id(true);
        }
        $_SESSION['own'] = 'always the same';
        session_write_close();
        echo serialize($_SESSION), strlen(file_get_contents($name . 'count'));
        break;
    case 'login of an own handler':
        session_set_save_handler(new OwnHandler, true);
        session_start();
        session_regenerate_id(true);
        $_SESSION['user'] = 'zoe';
        break;
    case 'touch':
        session_start();
        $_SESSION['t']['b'] = 2;
        $_SESSION['t']['copy'] = $_SESSION['t']['v'];
        $_SESSION['t']['m']['x'] = 1;
        break;
    case 'late':
        set('early', 1);
        leave();
        $_SESSION['by'] = 'late';
        break;
    case 'late, large page':
        session_start();
        echo str_repeat('x', 2000000);
        $_SESSION['by'] = 'after the large page';
        break;
    case 'late, no buffers':
        set('early', 1);
        echo 'page';
        while (ob_get_level() > 0) {
            ob_end_flush();
        }
        flush();
        $_SESSION['by'] = 'after the buffers';
        break;
    case 'late, not flushed':
        // The headers have gone for PHP, but lie in the buffer of its FastCGI.
        set('early', 1);
        while (ob_get_level() > 0) {
            ob_end_flush();
        }
        echo 'page';
        $_SESSION['by'] = 'before the flush';
        break;
    case 'late, closed':
        set('early', 1);
        leave();
        $_SESSION['by'] = 'late';
        session_write_close();
        $_SESSION['after'] = 'lost';
        break;
    case 'late, nothing new':
        set('early', 1);
        leave();
        session_write_close();
        break;
    case 'late, shutdown':
        session_start();
        leave();
        register_shutdown_function(function () {
            $_SESSION['by'] = 'shutdown function';
        });
        break;
    case 'late, destructor':
        session_start();
        $saver = new Saver;
        leave();
        break;
    case 'late, own header callback':
        header_register_callback(function () {
            header('X-Own: 1');
        });
        session_start();
        leave();
        $_SESSION['by'] = 'late';
        break;
    case 'late, in the header callback':
        header_register_callback(function () {
            $_SESSION['by'] = 'header callback';
        });
        session_start();
        echo 'page';
        break;
    case 'late, exit':
        session_start();
        leave();
        $_SESSION['by'] = 'late';
        exit;
    case 'late, fatal':
        session_start();
        leave();
        $_SESSION['by'] = 'late';
        undefined_function();
        break;
    case 'late, everything':
        set('deep', ['a' => ['b' => null, 'c' => [1, 2]], 'gone' => 1]);
        leave();
        $_SESSION['cart'] = new Cart;
        $_SESSION['deep']['a'] = ['c' => [1, 2, 3], 'bytes' => "\xff\r\n", 'none' => null];
        unset($_SESSION['deep']['gone']);
        break;
    case 'late, removed':
        set('early', 1);
        leave();
        unset($_SESSION['early'], $_SESSION['deep']);
        break;
    case 'late, regenerated before':
        set('early', 1);
        session_regenerate_id(true);
        leave();
        $_SESSION['by'] = 'late';
        break;
    case 'late, regenerated':
        set('early', 1);
        leave();
        echo @session_regenerate_id(true) ? 'a new id' : 'no new id';
        $_SESSION['by'] = 'late';
        break;
    case 'late, destroyed':
        set('early', 1);
        leave();
        session_destroy();
        break;
    case 'late, destroyed before':
        session_start();
        session_destroy();
        session_start();
        $_SESSION = ['by' => 'the new one'];
        leave();
        $_SESSION['late'] = 1;
        break;
    case 'late, two names':
        set('first', 1);
        session_write_close();
        session_name('OTHER');
        session_id($_COOKIE['OTHER'] ?? '');
        session_start();
        leave();
        $_SESSION['second'] = 'late';
        break;
    case 'late, finished':
        set('early', 1);
        echo 'page';
        fastcgi_finish_request();
        $_SESSION['by'] = 'after the response';
        break;
    case 'late, visitor gone':
        ignore_user_abort(true);
        set('early', 1);
        while (!connection_aborted()) {
            echo str_repeat(' ', 4096); // a proxy sends no less at once, and notices then that nobody is there
            leave();
            usleep(10000);
        }
        $_SESSION['by'] = 'nobody is there';
        break;
    case 'late, too large':
        session_start();
        leave();
        $_SESSION['large'] = str_repeat('x', 300000);
        break;
    case 'late, slow':
        session_start();
        leave();
        usleep(50000);
        $_SESSION[$_GET['key']] = 1;
        break;
}
