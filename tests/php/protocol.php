<?php
// docs/wire-protocol.md in PHP, with PHP's own pack, serialize and json_encode: a second reading of that page, which shares nothing
// with the program that is tested.
declare(strict_types=1);

namespace Peer;

const ON_CONNECT = 1, ON_MESSAGE = 3, ON_CLOSE = 4, ON_WEBSOCKET_CONNECT = 205;
const SEND_TO_ONE = 5, SEND_TO_ALL = 6, KICK = 7, DESTROY = 8, UPDATE_SESSION = 9, BIND_UID = 12, UNBIND_UID = 13, SEND_TO_UID = 14;
const JOIN_GROUP = 20, LEAVE_GROUP = 21, SEND_TO_GROUP = 22, UNGROUP = 27, SET_SESSION = 204;
const GET_ALL_CLIENT_SESSIONS = 10, IS_ONLINE = 11, GET_CLIENT_ID_BY_UID = 15, BATCH_GET_CLIENT_ID_BY_UID = 16;
const GET_CLIENT_SESSIONS_BY_GROUP = 23, GET_CLIENT_COUNT_BY_GROUP = 24, SELECT = 25, GET_GROUP_ID_LIST = 26;
const BATCH_GET_CLIENT_COUNT_BY_GROUP = 28, GET_SESSION_BY_CLIENT_ID = 203;
const WORKER_CONNECT = 200, PING = 201, GATEWAY_CLIENT_CONNECT = 202;

const SCALAR = 1, RAW = 2;
const HEADER_SIZE = 28;
// unpack()'s names are the frame's fields, in the order in which they stand in it.
const FIELDS = ['size' => 'N', 'command' => 'C', 'local_ip' => 'N', 'local_port' => 'n', 'client_ip' => 'N', 'client_port' => 'n',
    'connection' => 'N', 'flags' => 'C', 'gateway_port' => 'n', 'ext_size' => 'N'];

/** A frame; a body that is no scalar is serialized. */
function frame(int $command, mixed $body = '', string $ext = '', int $connection = 0, int $flags = 0, array $fields = []): string
{
    if (is_scalar($body)) {
        $flags |= SCALAR;
        $body = (string) $body;
    } else {
        $body = serialize($body);
    }
    $fields = ['size' => HEADER_SIZE + strlen($ext) + strlen($body), 'command' => $command, 'connection' => $connection,
        'flags' => $flags, 'ext_size' => strlen($ext)] + $fields;
    $head = '';
    foreach (FIELDS as $name => $format) {
        $head .= pack($format, $fields[$name] ?? 0);
    }
    return $head . $ext . $body;
}

/** Takes one frame off the front of $buffer: its fields with 'ext' and 'body' (unserialized), or null when it is not all there yet. */
function take_frame(string &$buffer): ?array
{
    if (strlen($buffer) < HEADER_SIZE) {
        return null;
    }
    static $format = null;
    $format ??= implode('/', array_map(fn ($name, $type) => $type . $name, array_keys(FIELDS), FIELDS));
    $frame = unpack($format, $buffer);
    if (strlen($buffer) < $frame['size']) {
        return null;
    }
    $frame['ext'] = substr($buffer, HEADER_SIZE, $frame['ext_size']);
    $frame['body'] = substr($buffer, HEADER_SIZE + $frame['ext_size'], $frame['size'] - HEADER_SIZE - $frame['ext_size']);
    $buffer = substr($buffer, $frame['size']);
    if (($frame['flags'] & SCALAR) === 0) {
        $frame['body'] = read_value($frame['body']);
    }
    return $frame;
}

function read_value(string $serialized): mixed
{
    return unserialize($serialized, ['allowed_classes' => false]);
}

/** Takes one line off the front of $buffer. */
function take_line(string &$buffer): ?string
{
    $end = strpos($buffer, "\n");
    if ($end === false) {
        return null;
    }
    $line = substr($buffer, 0, $end);
    $buffer = substr($buffer, $end + 1);
    return $line;
}

function to_json(mixed $value): string
{
    return json_encode($value, JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES | JSON_THROW_ON_ERROR);
}

/** 20 hexadecimal digits out of a gateway's address "IP:PORT" and a connection id. */
function client_id(string $gateway, int $connection): string
{
    [$ip, $port] = explode(':', $gateway);
    return bin2hex(pack('NnN', ip2long($ip), (int) $port, $connection));
}

/** The gateway's address and the connection id that a client id is made of. */
function parse_client_id(string $client): array
{
    $parts = unpack('Nip/nport/Nconnection', hex2bin($client));
    return [long2ip($parts['ip']) . ':' . $parts['port'], $parts['connection']];
}

/** Connects, trying for $seconds: whoever is to be connected to may be starting. */
function dial(string $address, float $seconds = 20)
{
    for ($end = microtime(true) + $seconds; ; usleep(50_000)) {
        $stream = @stream_socket_client("tcp://$address", $code, $why, 5);
        if ($stream !== false) {
            stream_set_timeout($stream, 20);
            return $stream;
        }
        if (microtime(true) > $end) {
            throw new \RuntimeException("$address: $why");
        }
    }
}

function send($stream, string $bytes): void
{
    stream_set_blocking($stream, true);
    for ($sent = 0; $sent < strlen($bytes); $sent += $count) {
        $count = @fwrite($stream, substr($bytes, $sent, 1 << 20));
        if ($count === false || $count === 0) {
            return;  // the peer has gone, which its reader will see
        }
    }
}

function read_exactly($stream, int $size): string
{
    $bytes = '';
    while (strlen($bytes) < $size) {
        $more = fread($stream, $size - strlen($bytes));
        if ($more === false || $more === '') {
            throw new \RuntimeException('no answer, or not all of it');
        }
        $bytes .= $more;
    }
    return $bytes;
}
