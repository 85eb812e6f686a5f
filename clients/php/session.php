<?php
/*
 * caddy-session for PHP: $_SESSION of unmodified scripts, kept by the proxy.
 *
 * Put this file before every script (auto_prepend_file). It acts only in a request with
 * X-Session-Data, so only sites with a session handler of caddy-session may reach this PHP. PHP 7.2
 * to 8.5, no dependencies.
 *
 * Environment:
 *   CADDY_SESSION_KEY      signs objects, which only PHP can read. Without it objects are not kept. If
 *                          it is a key of the option late too, changes are kept that come after the
 *                          headers.
 *   CADDY_SESSION_OLD_KEY  the former key, beside a new one. What it has signed is still read.
 *   CADDY_SESSION_ROOT     the session name whose data is the whole session (php.ini's session.name).
 *                          The data of another name is the member of that name.
 *
 * See docs/frameworks/php.md of https://github.com/caddy-session/caddy-session.
 */

if (class_exists('CaddySession', false)) {
    return;
}

/**
 * The session of a request.
 *
 * PHP reads and writes a session as a string. This class makes that string of the JSON that the
 * proxy sends, and finds out what the script has changed. The changes leave as response headers.
 */
final class CaddySession implements SessionHandlerInterface, SessionIdInterface, SessionUpdateTimestampHandlerInterface
{
    /** The member that has PHP's own ids, by session name. No credential: the proxy has its own. */
    const IDS = ' sid';

    /** The only members of objects that stand for what JSON cannot say: bytes, and PHP's own encoding. */
    const BYTES = ' b', PHP = ' p';

    /** The member that tells PHP the class of an object whose class it does not have, in PHP's encoding. */
    const INCOMPLETE = 's:27:"__PHP_Incomplete_Class_Name";';

    /** How deep values may nest before they travel in PHP's own encoding. */
    const MAX_DEPTH = 24;

    /** How many operations a JSON Patch may have, and how many bytes of a page are held back. */
    const MAX_OPERATIONS = 256, HELD_BACK = 1048576;

    /** How many further merge patches a change has. Each is a header line, and the proxy reads 64 lines. */
    const MAX_MERGES = 16;

    /** How many values are looked at to see whether objects are among them. */
    const MANY = 100000;

    /** The memory that is there for the session when the script has used up its own, in bytes. */
    const RESERVE = 16777216;

    /** The response header of a stream. */
    const STREAM = '~^content-type:\s*text/event-stream\b~mi';

    /** How long the proxy may take for a late change, in seconds. It waits for the headers, at most 5. */
    const LATE_TIMEOUT = 10;

    /** The key that signs, or '', and the former one. */
    private $key, $oldKey;

    /** The session name whose data is the whole session, the present one, and whether it is open here. */
    private $root, $name, $open = false;

    /** The data as it arrived, and as it is now: objects are stdClass, lists are arrays. */
    private $base, $now;

    /** Why the data did not come, or ''. */
    private $missing;

    /** The session names that were used, PHP's ids of theirs, and the cookies of the request. */
    private $names = [], $issued = [], $received;

    /** Ids that were made by session_create_id(), and those that the script has thought out. */
    private $made = [], $foreign = [];

    private $regenerate = false, $destroy = false, $ending = false;

    /** Where the proxy takes changes when the headers have gone, or '', and how many it was sent. */
    private $late, $posts = 0;

    /** What the headers say, if they say anything: the data, and whether the session gets a new id or ends. */
    private $told;

    /** What __wakeup does, and whether it is doing that. */
    private static $attempt;
    private $apart = false;

    /** Whether headersLeave is called no more. */
    public $replaced = false;

    /** What of the page has not left, where php.ini has no buffer. */
    private $held = '';

    /** How many further merge patches the lines have. */
    private $merges = 0;

    /** The lines that were sent last. */
    private $sent = ['X-Session-Update' => [], 'X-Session-Control' => []];

    /** What could not be kept, by its message, so that each is logged once. */
    private $logged = [];

    private function __construct(stdClass $data, string $missing, string $root, string $key, string $oldKey)
    {
        $this->root = $root ?: ini_get('session.name');
        $this->key = $key;
        $this->oldKey = $key === '' ? '' : $oldKey; // what cannot be signed again is not decoded
        $this->missing = $missing;
        $this->base = $this->now = $data;
        foreach ($this->ids() as $name => $id) {
            $this->names[$name] = $this->issued[$id] = true;
            $_COOKIE += [$name => $id]; // PHP takes the id from here, and then sets no cookie
        }
        $this->received = $_COOKIE;
        $this->late = $_SERVER['HTTP_X_SESSION_LATE'] ?? '';
    }

    /** Takes the place of PHP's own store. It is called once, before the script. */
    public static function install()
    {
        $root = self::environment('CADDY_SESSION_ROOT');
        $key = self::environment('CADDY_SESSION_KEY');
        $oldKey = self::environment('CADDY_SESSION_OLD_KEY');
        if (!isset($_SERVER['HTTP_X_SESSION_DATA'])) {
            return;
        }
        $text = $_SERVER['HTTP_X_SESSION_DATA'];
        $data = json_decode($text, false, 512, JSON_BIGINT_AS_STRING);
        if (json_last_error() === JSON_ERROR_INVALID_PROPERTY_NAME) { // PHP has no member that begins with a null byte
            $rest = '[^"\\\\]*+(?:\\\\.[^"\\\\]*+)*+"'; // of a string
            $names = preg_replace("/\"\\\\u0000($rest\\s*+:)|\"$rest(*SKIP)(*FAIL)/", '"\ufffd$1', $text);
            $data = json_decode($names, false, 512, JSON_BIGINT_AS_STRING);
        }
        if (!$data instanceof stdClass) {
            // FastCGI cuts what is longer than 65,500 bytes.
            self::fail('X-Session-Data is not whole: ' . strlen($text) . ' bytes arrived; lower max_size in the session block');
        }
        preg_match('/\b(unavailable|too-large)\b/', $_SERVER['HTTP_X_SESSION_INFO'] ?? '', $missing);
        $session = new self($data, $missing[1] ?? '', $root, $key, $oldKey);

        $started = session_status() === PHP_SESSION_ACTIVE; // session.auto_start
        if ($started) {
            session_abort();
            session_id($session->ids()[session_name()] ?? '');
        }
        try {
            if (function_exists('ini_set')) {
                ini_set('session.use_strict_mode', '1');
                ini_set('session.use_only_cookies', '1');
                ini_set('session.use_trans_sid', '0');
                ini_set('session.lazy_write', '0'); // or PHP calls updateTimestamp here, not a script's own write function
            }
            session_set_save_handler($session, false);
        } catch (\Error $e) { // since the fix of CVE-2026-115560, while session.upload_progress.enabled is on
            self::fail($e->getMessage());
        }
        if ($started) {
            session_start();
        }
        // Headers leave with the first output. So the page is held back, where php.ini has a buffer in its place. One
        // that does more, such as zlib's, stays below. Where it has none, each output is looked at: streams pass.
        $buffers = ob_list_handlers();
        $printed = $buffers === ['default output handler'] ? ob_get_clean() : '';
        $buffers ? ob_start(null, self::HELD_BACK) : ob_start([$session, 'hold'], 1);
        echo $printed;
        header_register_callback($session->callback());
        // If the script registers a callback of its own, this one comes after all its shutdown functions.
        register_shutdown_function(function () use ($session) {
            $error = error_get_last()['message'] ?? '';
            if (strncmp($error, 'Allowed memory size of ', 23) === 0 && function_exists('ini_set')) {
                ini_set('memory_limit', (string) ((int) substr($error, 23, 20) + self::RESERVE)); // more than the former limit
            }
            register_shutdown_function([$session, 'end']);
        });
    }

    /** Returns the header callback. PHP has room for one, and drops this one when the script registers its own. */
    private function callback(): callable
    {
        return new class($this) {
            private $session;

            public function __construct(CaddySession $session)
            {
                $this->session = $session;
            }

            public function __invoke()
            {
                $this->session->headersLeave();
            }

            public function __destruct()
            {
                $this->session->replaced = true;
            }
        };
    }

    /** Ends the request. An empty session would log the user out. */
    private static function fail(string $why)
    {
        error_log("caddy-session: $why");
        http_response_code(500);
        exit('The session cannot be read.');
    }

    /**
     * Reads a variable of the environment and hides it from pages that show all of them. Apache puts
     * REDIRECT_ before each name whenever it redirects within itself.
     */
    private static function environment(string $name): string
    {
        $value = getenv($name);
        $others = preg_grep("/^(REDIRECT_)+$name\$/D", array_keys($_SERVER + $_ENV));
        foreach (array_merge($others, [$name]) as $shown) {
            $value = $_SERVER[$shown] ?? $value;
            if (isset($_SERVER[$shown]) && function_exists('apache_setenv')) { // mod_php, whose phpinfo() shows this table too
                apache_setenv($shown, '');
            }
            unset($_SERVER[$shown], $_ENV[$shown]);
            if (function_exists('putenv')) {
                putenv($shown);
            }
        }
        return is_string($value) ? $value : '';
    }

    // PHP calls these: all but create_sid, validateId and updateTimestamp only while the session is kept here. A script
    // that gives PHP six functions for a store of its own leaves those three in place.

    #[\ReturnTypeWillChange]
    public function open($path, $name)
    {
        $serializer = ini_get('session.serialize_handler');
        if (!in_array($serializer, ['php', 'php_serialize'], true)) {
            self::fail("session.serialize_handler is $serializer; set it to php_serialize");
        }
        $this->name = $name;
        $this->open = true;
        return true;
    }

    #[\ReturnTypeWillChange]
    public function close()
    {
        $this->open = false;
        return true;
    }

    #[\ReturnTypeWillChange]
    public function gc($lifetime)
    {
        return 0;
    }

    #[\ReturnTypeWillChange]
    public function create_sid()
    {
        $caller = self::caller();
        if ($this->open && $caller === 'session_start' && isset($this->ids()[$this->name])) {
            return $this->ids()[$this->name]; // in place of one that the browser has from elsewhere
        }
        $id = bin2hex(random_bytes(16));
        if (!$this->open) {
            return $id;
        }
        switch ($caller) {
            case 'session_create_id':
                $this->made[] = $id;
                break;
            case 'session_regenerate_id':
                $this->regenerate = true;
                // fall through
            default:
                $this->setID($id);
        }
        return $id;
    }

    #[\ReturnTypeWillChange]
    public function validateId($id)
    {
        if (self::caller() === 'session_create_id') {
            // Nobody has it yet. Before 7.3.17 and 7.4.5, PHP took that for a failure.
            return PHP_VERSION_ID < 70317 || PHP_VERSION_ID >= 70400 && PHP_VERSION_ID < 70405;
        }
        // An unknown id of the client's is replaced. One that the script has chosen is its own affair.
        return !$this->open || in_array($id, $this->ids(), true) || ($this->received[$this->name] ?? null) !== $id;
    }

    #[\ReturnTypeWillChange]
    public function read($id)
    {
        if (($this->ids()[$this->name] ?? null) === $id) {
            // nothing is new
        } elseif (($name = array_search($id, $this->ids(), true)) !== false) {
            $this->name = $name; // the script has changed the name, and PHP goes on with the id: it is the same session
        } elseif (in_array(substr($id, -32), $this->made, true)) {
            // The manual's way to regenerate: session_id(session_create_id('prefix')) and session_start().
            $this->regenerate = true;
            $this->now = $this->others();
            $this->setID($id);
        } elseif (($this->received[$this->name] ?? null) === $id) {
            $this->setID($id); // without strict mode, PHP takes what the browser sends
        } else {
            $this->foreign[$id] = true;
            return '';
        }
        if ($this->now !== $this->base && !headers_sent()) {
            $this->send(); // the script may replace the header callback
        }
        $values = [];
        foreach ($this->part($this->now) as $name => $value) {
            if (self::keeps($name)) {
                $values[$name] = $this->decode($value);
            }
        }
        return !$values ? '' : (self::keepsAllKeys() ? serialize($values) : self::likePHP($values));
    }

    #[\ReturnTypeWillChange]
    public function write($id, $encoded)
    {
        if (isset($this->foreign[$id])) {
            $this->log('a session whose id the script has chosen itself is not kept');
            return true;
        }
        if (!self::keepsAllKeys()) {
            // PHP gives up the whole session if there is a bar in a name.
            $encoded = $encoded === '' && isset($_SESSION) ? serialize($_SESSION) : self::fromPHP($encoded);
        }
        $this->record($encoded);
        $this->sendOrLog();
        return true;
    }

    #[\ReturnTypeWillChange]
    public function updateTimestamp($id, $encoded)
    {
        return !$this->open || $this->write($id, $encoded);
    }

    #[\ReturnTypeWillChange]
    public function destroy($id)
    {
        if (self::caller() === 'session_regenerate_id' || isset($this->foreign[$id])) {
            return true;
        }
        $this->gone();
        $this->now = $this->others();
        if (!array_diff_key(get_object_vars($this->now), [self::IDS => true]) && !$this->ids()) { // the whole session ends
            $this->destroy = true;
            $this->regenerate = false;
            $this->base = $this->now = new stdClass;
        }
        $this->sendOrLog();
        return true;
    }

    /** Returns the function of the script that has made PHP call. */
    private static function caller(): string
    {
        foreach (debug_backtrace(DEBUG_BACKTRACE_IGNORE_ARGS, 4) as $frame) {
            if (strncmp($frame['function'], 'session_', 8) === 0) {
                return $frame['function'];
            }
        }
        return '';
    }

    // The data.

    private function ids(): array
    {
        return array_filter((array) ($this->now->{self::IDS} ?? []), function ($id) {
            return is_string($id) && preg_match('/^[A-Za-z0-9,-]{1,256}$/D', $id);
        });
    }

    private function setID(string $id)
    {
        $ids = $this->ids();
        $this->now = clone $this->now;
        if ($this->name !== $this->root && !isset($ids[$this->name])) {
            unset($this->now->{$this->name}); // what the session of the root has called so
        }
        $this->now->{self::IDS} = (object) array_replace($ids, [$this->name => $id]);
        $this->names[$this->name] = $this->issued[$id] = true;
    }

    /** Reports whether PHP's encoding keeps all keys of $_SESSION. "php", the usual one, does not. */
    private static function keepsAllKeys(): bool
    {
        return ini_get('session.serialize_handler') === 'php_serialize';
    }

    /** Reports whether PHP keeps this key of $_SESSION. */
    private static function keeps($name): bool
    {
        return self::keepsAllKeys() || is_string($name) && strpos($name, '|') === false;
    }

    /** Returns the members that belong to the present session name. */
    private function part(stdClass $data): array
    {
        if ($this->name !== $this->root) {
            $part = $data->{$this->name} ?? null;
            return $part instanceof stdClass ? get_object_vars($part) : (is_array($part) ? $part : []);
        }
        $part = get_object_vars($data);
        unset($part[self::IDS]);
        foreach ($this->ids() as $name => $id) {
            if ($name !== $this->root) {
                unset($part[$name]);
            }
        }
        return $part;
    }

    /** Returns the data without those of the present session name. */
    private function others(): stdClass
    {
        $all = (object) array_diff_key(get_object_vars($this->now), $this->name === $this->root ? $this->part($this->now) : [$this->name => true]);
        $ids = $this->ids();
        unset($ids[$this->name]);
        $all->{self::IDS} = (object) $ids;
        return $all;
    }

    /** Takes over what the script has in $_SESSION, in PHP's encoding. */
    private function record(string $encoded)
    {
        // No class of the script runs here: its objects are only carried over.
        $values = $encoded === '' ? [] : (self::has('C', $encoded) ? $this->readable() : self::inert($encoded));
        if (!is_array($values)) {
            $this->log('the session is not in PHP\'s format');
            return;
        }
        $parts = self::MANY;
        if ($this->apart && self::isCut($_SESSION ?? null, $values, $parts)) {
            return; // PHP is just encoding such an array, and then calls write()
        }
        $before = $this->part($this->now);
        $new = (object) array_filter($before, function ($name) {
            return !self::keeps($name); // the script has never seen it
        }, ARRAY_FILTER_USE_KEY);
        $names = $this->name === $this->root ? $this->ids() : [];
        unset($names[$this->root]);
        foreach ($values as $name => $value) {
            if (!self::keeps($name)) {
                continue;
            }
            $name = (string) $name;
            if (!preg_match('//u', $name) || strpos($name, "\0") === 0 || $name === self::IDS || isset($names[$name])) {
                $this->log('a key of $_SESSION is not kept: it is not UTF-8, begins with a null byte, or is the name of another session');
                continue;
            }
            $node = $this->encodeTop($value);
            $there = array_key_exists($name, $before);
            if ($node !== null || $value === null) {
                $new->{$name} = $there ? $this->untouched($before[$name], $node) : $node;
            } elseif ($there && $this->same($value, $this->decode($before[$name]))) {
                $new->{$name} = $before[$name];
            } else {
                $this->log('$_SESSION[' . json_encode($name) . '] is not kept: it has objects or references, and CADDY_SESSION_KEY is not set');
            }
        }
        $all = clone $this->now;
        if ($this->name !== $this->root) {
            $all->{$this->name} = $new;
        } else {
            $others = array_diff_key(get_object_vars($all), $before);
            $all = (object) (get_object_vars($new) + $others);
        }
        $this->now = $all;
    }

    /** Reports whether an array has become something else. Then PHP was encoding it already, and took it for a recursion. */
    private static function isCut($value, $encoded, int &$parts, int $depth = 0): bool
    {
        if (!is_array($value) || --$parts < 0 || $depth > self::MAX_DEPTH) {
            return false;
        }
        if (!is_array($encoded)) {
            return true;
        }
        foreach ($value as $key => $item) {
            if (array_key_exists($key, $encoded) && self::isCut($item, $encoded[$key], $parts, $depth + 1)) {
                return true;
            }
        }
        return false;
    }

    /**
     * Returns what the script has in $_SESSION, without the objects that only their class can read. PHP
     * encodes the session once more for that, member by member, as references count from its start.
     */
    private function readable()
    {
        if (!is_array($_SESSION ?? null)) {
            return null;
        }
        $values = [];
        foreach ($_SESSION as $name => $value) {
            $text = serialize($value);
            if (self::has('C', $text)) {
                $this->log('$_SESSION[' . json_encode($name) . '] is not kept: an object in it implements Serializable');
            } else {
                $values[$name] = self::inert($text);
            }
        }
        return $values;
    }

    /** Returns what is new, but what was not touched as it was sent: JSON can say some things in two ways. */
    private function untouched($before, $node)
    {
        return $this->merged($before, $this->encodeTop($this->decode($before)), $node);
    }

    /** Puts what was sent in place of what PHP would make of it. */
    private function merged($sent, $made, $node)
    {
        if ($this->same($node, $made)) {
            return $sent;
        }
        if ($sent instanceof stdClass && is_array($made)) { // a map that PHP reads as a list
            $made = (object) $made;
        }
        foreach ([$sent, $made, $node] as $map) {
            if (!$map instanceof stdClass || self::tag($map) !== '') {
                return $node;
            }
        }
        foreach (get_object_vars($node) as $key => $item) {
            $key = (string) $key;
            if (property_exists($sent, $key) && property_exists($made, $key)) {
                $node->{$key} = $this->merged($sent->{$key}, $made->{$key}, $item);
            }
        }
        return $node;
    }

    // Values. See the table in docs/frameworks/php.md.

    /** Returns the PHP value of a decoded JSON value. Objects of classes are without their class. */
    private function decode($node)
    {
        if ($node instanceof stdClass) {
            $node = get_object_vars($node);
            if (self::isBytes($node)) {
                return base64_decode($node[self::BYTES]);
            }
            $text = $this->signed($node[self::PHP] ?? null);
            if ($text !== '') {
                unset($node[self::PHP]);
                $value = self::inert($text);
                // Another request may have merged members into what was an array before.
                return is_array($value) ? array_replace($value, array_map([$this, 'decode'], $node)) : $value;
            }
        }
        return is_array($node) ? array_map([$this, 'decode'], $node) : $node;
    }

    /** Reports whether an array stands for bytes. */
    private static function isBytes(array $members): bool
    {
        $text = $members[self::BYTES] ?? null;
        return is_string($text) && count($members) === 1 && base64_decode($text, true) !== false;
    }

    /** Returns the text behind a tag that was signed here, or ''. Another one is data: it could make PHP run any class. */
    private function signed($tag): string
    {
        if (!is_string($tag)) {
            return '';
        }
        $parts = explode('.', $tag, 2);
        $text = (string) base64_decode($parts[1] ?? '', true);
        foreach ([$this->key, $this->oldKey] as $key) {
            if ($key !== '' && hash_equals(self::mac($text, $key), $parts[0])) {
                return $text;
            }
        }
        return '';
    }

    /** Decodes PHP's encoding without any class. A member that PHP itself uses for that must not name another class. */
    private static function inert(string $text)
    {
        if (strpos($text, self::INCOMPLETE) !== false) {
            $tokens = self::tokens($text);
            $text = self::renamed($tokens, false);
        }
        return unserialize($text, ['allowed_classes' => false]);
    }

    /** Returns PHP's encoding as far as the end of an object or an array, with another name for that member of objects. */
    private static function renamed(Generator $tokens, bool $object): string
    {
        $out = '';
        for ($isName = $object; $tokens->valid(); $isName = $object && !$isName) {
            $token = $tokens->current();
            $tokens->next();
            $out .= $isName && $token === self::INCOMPLETE ? str_replace('PHP', 'php', $token) : $token;
            if ($token === '}') {
                break;
            }
            if (self::deeper($token)) {
                $out .= self::renamed($tokens, $token[0] === 'O');
            }
        }
        return $out;
    }

    /** Returns the JSON value of a value of $_SESSION, or null where that needs a key and there is none. */
    private function encodeTop($value)
    {
        if ((is_array($value) || is_object($value)) && self::has('Rr', serialize($value))) {
            return $this->opaque($value);
        }
        return $this->encode($value, 1);
    }

    private function encode($value, int $depth)
    {
        if (is_string($value)) {
            return preg_match('//u', $value) ? $value : (object) [self::BYTES => base64_encode($value)];
        }
        if (is_float($value) && !is_finite($value) || is_object($value)) {
            return $this->opaque($value);
        }
        if (!is_array($value)) {
            return $value;
        }
        if ($depth > self::MAX_DEPTH || self::isBytes($value) || $this->signed($value[self::PHP] ?? null) !== '') {
            return $this->opaque($value);
        }
        $keys = array_keys($value);
        foreach ($keys as $key) {
            if (is_string($key) && (!preg_match('//u', $key) || strpos($key, "\0") === 0)) {
                return $this->opaque($value); // before what is in it is encoded for nothing
            }
        }
        $list = $keys === array_keys($keys);
        $node = [];
        foreach ($value as $key => $item) {
            $node[$key] = $this->encode($item, $depth + 1);
            if ($node[$key] === null && $item !== null) {
                return null;
            }
        }
        return $list ? $node : (object) $node;
    }

    /** Returns a value in PHP's own encoding, signed. */
    private function opaque($value)
    {
        if ($this->key === '') {
            return null;
        }
        $text = serialize($value);
        return (object) [self::PHP => self::mac($text, $this->key) . '.' . base64_encode($text)];
    }

    private static function mac(string $text, string $key): string
    {
        return rtrim(strtr(base64_encode(substr(hash_hmac('sha256', $text, $key, true), 0, 16)), '+/', '-_'), '=');
    }

    /** Returns the name of the tag that an object is, or ''. */
    private static function tag(stdClass $node): string
    {
        $members = get_object_vars($node);
        $name = (string) key($members);
        return count($members) === 1 && ($name === self::BYTES || $name === self::PHP) && is_string(reset($members)) ? $name : '';
    }

    /** Reports whether PHP's encoding of a value has one of these types: R and r are references, C is an object that encodes itself. */
    private static function has(string $types, string $text): bool
    {
        foreach (self::tokens($text) as $token) {
            if (strpos($types, $token[0]) !== false) {
                return true;
            }
        }
        return false;
    }

    /** Returns what PHP's encoding "php" makes of values: there, references count from the first value on. */
    private static function likePHP(array $values): string
    {
        $out = $name = '';
        $depth = 0;
        foreach (self::tokens(serialize($values)) as $token) {
            if ($depth === 1 && $name === '') {
                $name = $token === '}' ? '' : unserialize($token) . '|';
                $out .= $name;
                continue;
            }
            $out .= $depth > 0 ? self::counted($token, -1) : '';
            $depth += self::deeper($token);
            $name = $depth === 1 ? '' : $name;
        }
        return $out;
    }

    /** Returns the encoding of the array of the values that are in PHP's encoding "php". */
    private static function fromPHP(string $text): string
    {
        $out = '';
        $count = $i = 0;
        while (($bar = strpos($text, '|', $i)) !== false) {
            $out .= serialize(substr($text, $i, $bar - $i));
            $i = $bar + 1;
            $depth = 0;
            foreach (self::tokens($text, $i) as $token) {
                $out .= self::counted($token, 1);
                $i += strlen($token);
                $depth += self::deeper($token);
                if ($depth === 0) {
                    break;
                }
            }
            $count++;
        }
        return "a:$count:{" . $out . '}';
    }

    /** Returns a part of PHP's encoding, with the number of a reference changed. */
    private static function counted(string $token, int $by): string
    {
        return $token[0] === 'R' || $token[0] === 'r' ? $token[0] . ':' . ((int) substr($token, 2) + $by) . ';' : $token;
    }

    /** Returns how many levels the next part of PHP's encoding is deeper than this one. */
    private static function deeper(string $token): int
    {
        return $token === '}' ? -1 : (int) ($token[0] === 'a' || $token[0] === 'O');
    }

    /** Returns the parts of PHP's encoding: values that are whole, and the beginnings and ends of others. */
    private static function tokens(string $text, int $from = 0): Generator
    {
        for ($i = $from, $end = strlen($text); $i < $end; $i += $length) {
            $digits = strspn($text, '0123456789', $i + 2);
            $string = $digits + 3 + (int) substr($text, $i + 2, $digits); // as far as the last byte of a string or a name
            switch ($text[$i]) {
                case 's':
                case 'E':
                    $length = $string + 3; // the quotes, and the semicolon
                    break;
                case 'O':
                    $length = strpos($text, '{', $i + $string) + 1 - $i;
                    break;
                case 'C':
                    $length = strpos($text, '{', $i + $string) + 2 - $i + (int) substr($text, $i + $string + 3, 20);
                    break;
                case 'a':
                    $length = strpos($text, '{', $i) + 1 - $i;
                    break;
                case '}':
                    $length = 1;
                    break;
                default:
                    $length = strpos($text, ';', $i) + 1 - $i;
            }
            yield substr($text, $i, $length);
        }
    }

    private function same($a, $b): bool
    {
        if ($a instanceof stdClass && $b instanceof stdClass) {
            $a = get_object_vars($a);
            $b = get_object_vars($b);
        }
        if (is_float($a) && is_float($b)) {
            return pack('d', $a) === pack('d', $b); // 0.0 is not -0.0, and NAN is NAN
        }
        if (!is_array($a) || !is_array($b)) {
            return $a === $b;
        }
        if (array_keys($a) !== array_keys($b)) {
            return false;
        }
        foreach ($a as $key => $item) {
            if (!$this->same($item, $b[$key])) {
                return false;
            }
        }
        return true;
    }

    // The changes.

    /** Holds the page back without php.ini's buffer. A stream passes, whose script calls flush() only. */
    public function hold(string $part, int $phase): string
    {
        $this->held .= $part;
        if (headers_sent() // as by flush() inside Apache
            || $phase & (PHP_OUTPUT_HANDLER_FLUSH | PHP_OUTPUT_HANDLER_FINAL) || strlen($this->held) >= self::HELD_BACK
            || substr($part, -1) === "\n" && preg_match(self::STREAM, implode("\n", headers_list()))) {
            $part = $this->held;
            $this->held = '';
            return $part;
        }
        return '';
    }

    /** Headers are about to leave, for whatever reason. */
    public function headersLeave()
    {
        // What objects print here would leave before the page. But ob_flush() forgets its buffer if another begins
        // meanwhile. And flush() may come from an output callback, which must begin none: its buffer takes what is printed.
        $flushes = (debug_backtrace(DEBUG_BACKTRACE_IGNORE_ARGS, 3)[2]['function'] ?? '') === 'flush' && ob_get_level() > 0;
        $parts = self::MANY;
        $held = $this->open && !$flushes && ($this->ending || self::runsCode($_SESSION ?? null, $parts)) && ob_start();
        if ($this->ending && $this->open) {
            $this->attempt('session_write_close');
        }
        $this->attempt([$this, 'look']); // in the midst of the script, or if PHP is just closing the session
        $this->send();
        if ($held) {
            ob_end_clean();
        }
    }

    /** Reports whether code of the script may run when PHP encodes a value, or it has too many parts or levels to say. */
    private static function runsCode($value, int &$parts, int $depth = 0): bool
    {
        if (is_object($value) || --$parts < 0 || $depth > self::MAX_DEPTH) {
            return true;
        }
        foreach (is_array($value) ? $value : [] as $item) {
            if (self::runsCode($item, $parts, $depth + 1)) {
                return true;
            }
        }
        return false;
    }

    /**
     * The last shutdown function. Destructors and output callbacks come after it, and then headersLeave,
     * if that is still called. Objects encode themselves once more for what is read here.
     */
    public function end()
    {
        $this->ending = true;
        if ($this->replaced && !headers_sent()) {
            $this->attempt([$this, 'look']);
            $this->send();
        }
    }

    /**
     * Lets the script's objects encode themselves. Their errors must not cost the page. PHP may just be encoding, and its
     * warning of that may be the first output. Then it would count what is encoded here with its own, but not in __wakeup.
     */
    private function attempt(callable $save)
    {
        self::$attempt = function () use ($save) {
            self::$attempt = null;
            $this->apart = true;
            $save();
        };
        try {
            unserialize('O:12:"CaddySession":0:{}', ['allowed_classes' => [self::class]]);
            $this->__wakeup(); // if PHP is just decoding, it would come later
        } catch (\Throwable $e) {
            $this->log('the session is not kept: PHP cannot encode it: ' . get_class($e));
        }
        $this->apart = false;
    }

    public function __wakeup()
    {
        if (self::$attempt) {
            (self::$attempt)();
        }
    }

    /** Takes over what the session has now. The script goes on with it. */
    private function look()
    {
        if ($this->open && is_array($_SESSION ?? null) && !isset($this->foreign[session_id()])) {
            $this->record(serialize($_SESSION));
        }
    }

    private function sendOrLog()
    {
        if ($this->gone()) {
            $this->sendLate();
        } else {
            $this->send();
        }
    }

    /** Reports whether the headers have gone. Then changes are those of what they have said. */
    private function gone(): bool
    {
        if (!headers_sent()) {
            return false;
        }
        if ($this->told !== null) {
            list($this->base, $regenerate, $destroy) = $this->told;
            $this->regenerate = $this->regenerate && !$regenerate;
            $this->destroy = $this->destroy && !$destroy;
            $this->told = null;
        }
        return true;
    }

    /** Sends the changes in a request of its own. */
    private function sendLate()
    {
        if ($this->regenerate) {
            $this->log('the session gets no new id: that came after the headers of the response');
            $this->regenerate = false;
        }
        $lines = $this->lines();
        if ($this->destroy && $lines['X-Session-Update']) {
            $this->log('a session that begins after the headers of the response is not kept');
            $lines['X-Session-Update'] = [];
        }
        if (!array_filter($lines)) {
            return;
        }
        $body = 'X-Session-Late: ' . ++$this->posts . "\n"; // so that no two are the same
        foreach ($lines as $name => $values) {
            foreach ($values as $value) {
                $body .= "$name: $value\n";
            }
        }
        $why = $this->post($body);
        if ($why !== '') {
            $this->log("a change of the session came after the headers of the response, and is lost: $why");
            return;
        }
        $this->base = $this->now;
        $this->destroy = false;
    }

    /** Posts a late change, and returns why it was not kept, or ''. */
    private function post(string $body): string
    {
        if ($this->late === '') {
            return 'the proxy gave no X-Session-Late, as without the option late';
        }
        if ($this->key === '') {
            return 'CADDY_SESSION_KEY is not set';
        }
        // The proxy waits for the headers, which may still lie in PHP's own buffer. A visitor who has left does not end
        // the script here.
        $ignore = ignore_user_abort(true);
        flush();
        ignore_user_abort((bool) $ignore);
        $url = parse_url($this->late) + ['port' => 80, 'path' => '/'];
        $transport = $url['scheme'] === 'https' ? 'tls' : 'tcp';
        $port = $url['port'] === 80 && $transport === 'tls' ? 443 : $url['port'];
        $answer = '';
        set_error_handler(function () {
            return true;
        });
        try {
            $stream = stream_socket_client("$transport://$url[host]:$port", $number, $error, self::LATE_TIMEOUT);
            if ($stream) {
                stream_set_timeout($stream, self::LATE_TIMEOUT);
                fwrite($stream, "POST $url[path] HTTP/1.1\r\nHost: $url[host]:$port\r\nConnection: close\r\n"
                    . 'X-Session-Mac: ' . hash_hmac('sha256', "$this->late\n$body", $this->key) . "\r\n"
                    . 'Content-Length: ' . strlen($body) . "\r\n\r\n$body");
                $answer = (string) fgets($stream, 256);
                fclose($stream);
            }
        } catch (\Throwable $e) {
            $error = get_class($e);
        }
        restore_error_handler();
        if (!preg_match('~^HTTP/\S+ (\d{3})~', $answer, $status)) {
            return 'the proxy cannot be reached: ' . ($error ?? '' ?: 'no answer');
        }
        switch ($status[1]) {
            case '204':
                return '';
            case '403':
                return 'the proxy refuses it: CADDY_SESSION_KEY is not a key of late, it is too large, or a minute has passed since the headers';
            case '409':
                return 'the session has ended, or the proxy has given up the request';
            default:
                return "the proxy says $status[1]; its log says why";
        }
    }

    /** Puts the changes into the response headers, in place of those that it has put there before. */
    private function send()
    {
        $lines = $this->lines();
        $cookies = $others = [];
        foreach (headers_list() as $line) {
            list($name, $value) = explode(':', $line, 2) + [1 => ''];
            $value = ltrim($value);
            if (!strcasecmp($name, 'Set-Cookie')) {
                $cookies[] = $value;
            }
            foreach ($lines as $ours => $_) {
                if (!strcasecmp($name, $ours) && !in_array($value, $this->sent[$ours], true)) {
                    $others[$ours][] = $value;
                }
            }
        }
        foreach ($lines as $name => $values) {
            header_remove($name);
            foreach (array_merge($values, $others[$name] ?? []) as $value) {
                header("$name: $value", false);
            }
        }
        $this->sent = $lines;
        $this->told = [$this->now, $this->regenerate, $this->destroy];
        // The session cookie is the proxy's. PHP's own names are not for the browser.
        $kept = array_filter($cookies, function ($cookie) {
            list($name, $value) = explode('=', explode(';', $cookie, 2)[0], 2) + [1 => ''];
            return !isset($this->names[urldecode($name)]) || $value !== 'deleted' && !isset($this->issued[urldecode($value)]);
        });
        if (count($kept) < count($cookies)) {
            header_remove('Set-Cookie');
            foreach ($kept as $cookie) {
                header("Set-Cookie: $cookie", false);
            }
        }
    }

    /** Returns the header lines of all changes: a merge patch, and what that cannot say. */
    private function lines(): array
    {
        $now = clone $this->now;
        if ($this->missing !== '') {
            unset($now->{self::IDS}); // so that a page that changes nothing is shown
        }
        $operations = [];
        $this->merges = 0;
        $merge = $this->diff($this->base, $now, '', $operations);
        if ($this->missing === 'too-large' && !$this->destroy && ($merge || $operations)) {
            $this->log('a change of the session is lost: it is too large for the app; raise max_headers');
            $merge = $operations = [];
        }
        $updates = array_map([self::class, 'json'], array_merge($merge ? [(object) $merge] : [], self::patches($operations)));
        $control = $this->destroy ? ['destroy'] : ($this->regenerate ? ['regenerate'] : []);
        return ['X-Session-Update' => $updates, 'X-Session-Control' => $control];
    }

    /** Returns patches that do what operations say, one after the other: a "merge" is for a merge patch. */
    private static function patches(array $operations): array
    {
        $patches = [];
        foreach ($operations as $operation) {
            $last = end($patches);
            if ($operation['op'] !== 'merge') {
                if (!is_array($last) || count($last) === self::MAX_OPERATIONS) {
                    $patches[] = [];
                }
                $patches[count($patches) - 1][] = $operation;
                continue;
            }
            if (!$last instanceof stdClass) {
                $patches[] = $last = new stdClass;
            }
            $names = explode('/', substr($operation['path'], 1));
            $name = array_pop($names);
            foreach ($names as $parent) {
                $parent = strtr($parent, ['~1' => '/', '~0' => '~']);
                $last->{$parent} = $last->{$parent} ?? new stdClass;
                $last = $last->{$parent};
            }
            $last->{strtr($name, ['~1' => '/', '~0' => '~'])} = $operation['value'];
        }
        return $patches;
    }

    /**
     * Returns the merge patch, and adds operations whose parents the merge patch makes sure of. They
     * come after it, so that a new member behind one of them is an operation too: PHP's arrays have
     * an order. It is one of several merge patches if it is a map, as another page may make that too.
     */
    private function diff(stdClass $from, stdClass $to, string $path, array &$operations): array
    {
        $old = get_object_vars($from);
        $merge = [];
        $added = false;
        foreach (array_diff_key($old, get_object_vars($to)) as $name => $_) {
            $merge[$name] = null;
        }
        foreach (get_object_vars($to) as $name => $value) {
            $there = array_key_exists($name, $old);
            if ($there && $this->same($old[$name], $value) && gettype($old[$name]) === gettype($value)) {
                continue;
            }
            $at = $path . '/' . strtr((string) $name, ['~' => '~0', '/' => '~1']);
            $before = $there ? $old[$name] : null;
            $map = $before instanceof stdClass;
            $whole = $map || $value instanceof stdClass && self::tag($value) !== '' ? !self::mergeable($before, $value) : $value === null;
            $behind = $added && !$there;
            if ($whole || $behind && (!$value instanceof stdClass || $this->merges === self::MAX_MERGES)) {
                $operations[] = ['op' => 'add', 'path' => $at, 'value' => $value];
                $added = $added || !$there;
                continue;
            }
            if ($behind) {
                $this->merges += (end($operations)['op'] ?? '') === 'merge' ? 0 : 1;
                $inner = [];
                $operations[] = ['op' => 'merge', 'path' => $at, 'value' => (object) $this->diff(new stdClass, $value, $at, $inner)];
                $operations = array_merge($operations, $inner);
                continue;
            }
            if (!$value instanceof stdClass) {
                $merge[$name] = $value;
                continue;
            }
            $count = count($operations);
            $inner = $this->diff($map ? $before : new stdClass, $value, $at, $operations);
            if ($inner || !$map || count($operations) > $count) {
                $merge[$name] = (object) $inner;
            }
        }
        return $merge;
    }

    /** Reports whether a merge patch can make one object of another: neither is a tag, and the order stays. */
    private static function mergeable($from, $to): bool
    {
        if (!$from instanceof stdClass || !$to instanceof stdClass || self::tag($from) !== '' || self::tag($to) !== '') {
            return false;
        }
        $from = get_object_vars($from);
        $to = get_object_vars($to);
        $kept = array_keys(array_intersect_key($from, $to));
        return $kept === array_slice(array_keys($to), 0, count($kept));
    }

    private static function json($value): string
    {
        $precision = function_exists('ini_set') ? ini_set('serialize_precision', '-1') : false;
        $text = json_encode($value, JSON_PRESERVE_ZERO_FRACTION);
        if ($precision !== false) {
            ini_set('serialize_precision', $precision);
        }
        return str_replace("\x7f", '\u007f', (string) $text); // which no header line may have
    }

    private function log(string $message)
    {
        if (!isset($this->logged[$message])) {
            $this->logged[$message] = true;
            error_log("caddy-session: $message");
        }
    }
}

CaddySession::install();
