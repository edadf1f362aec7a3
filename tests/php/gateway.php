<?php
// A gateway in PHP: gateway.php REGISTER INNER_PORT CLIENT_PORT SECRET. Its clients speak lines. It knows nothing of the extension, and
// keeps what it is told in PHP's own arrays, so that keys behave as PHP's do.
declare(strict_types=1);

namespace Peer;

require __DIR__ . '/protocol.php';

final class Client
{
    public string $buffer = '';
    public string $session = '';
    public ?string $uid = null;
    /** @var array<string> */
    public array $groups = [];
    public ?int $worker = null;

    public function __construct(public $stream)
    {
    }
}

final class Gateway
{
    private array $listeners;
    /** @var array<int, Client> */
    private array $clients = [];
    private array $uids = [];    // uid => connection => connection
    private array $groups = [];  // group => connection => connection
    private array $inner = [];   // id => stream
    private array $inner_buffers = [];
    private array $trusted = [];  // id => id
    private array $workers = [];  // id => worker key
    private int $last_connection = 1_000_000;  // not to be taken for a count

    public function __construct(private string $register, private int $inner_port, private int $client_port, private string $secret)
    {
        $this->listeners = ['inner' => stream_socket_server("tcp://127.0.0.1:$inner_port"),
            'clients' => stream_socket_server("tcp://127.0.0.1:$client_port")];
    }

    public function run(): void
    {
        $register = dial($this->register);
        $hello = ['event' => 'gateway_connect', 'address' => "127.0.0.1:$this->inner_port", 'secret_key' => $this->secret];
        send($register, to_json($hello) . "\n");
        while (true) {
            // Clients wait until there is somebody to tell of them.
            $ready = array_diff_key($this->listeners, $this->workers ? [] : ['clients' => 0]) + ['register' => $register];
            foreach ($this->inner as $id => $stream) {
                $ready["inner $id"] = $stream;
            }
            foreach ($this->workers ? $this->clients : [] as $id => $client) {
                $ready["client $id"] = $client->stream;
            }
            $write = $except = null;
            stream_select($ready, $write, $except, 60);
            foreach ($ready as $name => $stream) {
                [$kind, $id] = explode(' ', "$name 0");
                match ($kind) {
                    'inner' => isset($this->listeners[$name]) ? $this->accept_inner() : $this->read_inner((int) $id),
                    'clients' => $this->accept_client(),
                    'client' => $this->read_client((int) $id),
                    'register' => exit(0),
                };
            }
        }
    }

    private function accept_inner(): void
    {
        $stream = stream_socket_accept($this->listeners['inner']);
        $this->inner[get_resource_id($stream)] = $stream;
        $this->inner_buffers[get_resource_id($stream)] = '';
    }

    private function read_inner(int $id): void
    {
        if (!isset($this->inner[$id])) {
            return;
        }
        stream_set_blocking($this->inner[$id], false);
        $bytes = fread($this->inner[$id], 1 << 20);
        if ($bytes === '' && feof($this->inner[$id])) {
            $this->end_inner($id);
            return;
        }
        $this->inner_buffers[$id] .= $bytes;
        while (isset($this->inner[$id]) && ($frame = take_frame($this->inner_buffers[$id])) !== null) {
            if (in_array($frame['command'], [WORKER_CONNECT, GATEWAY_CLIENT_CONNECT], true)) {
                $hello = json_decode($frame['body'], true);
                if ($hello['secret_key'] !== $this->secret) {
                    $this->end_inner($id);
                    return;
                }
                $this->trusted[$id] = $id;
                if ($frame['command'] === WORKER_CONNECT) {
                    $this->workers[$id] = $hello['worker_key'];
                }
            } elseif ($this->secret !== '' && !isset($this->trusted[$id])) {
                $this->end_inner($id);
            } else {
                $this->on_command($id, $frame);
            }
        }
    }

    private function end_inner(int $id): void
    {
        fclose($this->inner[$id]);
        unset($this->inner[$id], $this->inner_buffers[$id], $this->trusted[$id], $this->workers[$id]);
    }

    private function accept_client(): void
    {
        $this->clients[++$this->last_connection] = new Client(stream_socket_accept($this->listeners['clients']));
        $this->tell_worker($this->last_connection, ON_CONNECT);
    }

    private function read_client(int $id): void
    {
        $client = $this->clients[$id] ?? null;
        if ($client === null) {
            return;
        }
        stream_set_blocking($client->stream, false);
        $bytes = fread($client->stream, 1 << 20);
        if ($bytes === '' && feof($client->stream)) {
            $this->end_client($id);
            return;
        }
        $client->buffer .= $bytes;
        while (isset($this->clients[$id]) && ($line = take_line($client->buffer)) !== null) {
            $this->tell_worker($id, ON_MESSAGE, rtrim($line, "\r"));
        }
    }

    private function tell_worker(int $id, int $event, string $body = ''): void
    {
        $client = $this->clients[$id];
        if (!isset($this->workers[$client->worker])) {
            $client->worker = array_key_first($this->workers);
        }
        if ($client->worker === null) {
            return;
        }
        [$ip, $port] = explode(':', (string) stream_socket_get_name($client->stream, true) ?: '0.0.0.0:0');
        $fields = ['local_ip' => ip2long('127.0.0.1'), 'local_port' => $this->inner_port, 'client_ip' => ip2long($ip),
            'client_port' => (int) $port, 'gateway_port' => $this->client_port];
        send($this->inner[$client->worker], frame($event, $body, $client->session, $id, fields: $fields));
    }

    private function end_client(int $id): void
    {
        $this->tell_worker($id, ON_CLOSE);
        $this->unbind($id);
        foreach ($this->clients[$id]->groups as $group) {
            $this->leave($id, (string) $group);
        }
        fclose($this->clients[$id]->stream);
        unset($this->clients[$id]);
    }

    private function unbind(int $id): void
    {
        $uid = $this->clients[$id]->uid;
        unset($this->uids[$uid][$id]);
        $this->uids = array_filter($this->uids);
        $this->clients[$id]->uid = null;
    }

    private function leave(int $id, string $group): void
    {
        unset($this->groups[$group][$id], $this->clients[$id]->groups[$group]);
        $this->groups = array_filter($this->groups);
    }

    private function on_command(int $from, array $frame): void
    {
        $id = $frame['connection'];
        $client = $this->clients[$id] ?? null;
        $ext = $frame['ext'];
        switch ($frame['command']) {
            case SEND_TO_ONE:
                $this->say($frame, [$id]);
                break;
            case SEND_TO_ALL:
                $whom = $ext === '' ? [] : json_decode($ext, true);
                $this->say($frame, $whom['connections'] ?? array_keys(array_diff_key($this->clients, $whom['exclude'] ?? [])));
                break;
            case SEND_TO_UID:
                foreach (json_decode($ext, true) as $uid) {
                    $this->say($frame, $this->uids[$uid] ?? []);
                }
                break;
            case SEND_TO_GROUP:
                $target = json_decode($ext, true);
                foreach ($target['group'] as $group) {
                    $this->say($frame, array_diff_key($this->groups[$group] ?? [], $target['exclude'] ?? []));
                }
                break;
            case UNGROUP:
                foreach ($this->groups[$ext] ?? [] as $member) {
                    $this->leave($member, $ext);
                }
                break;
            case KICK:
                if ($frame['body'] !== null) {
                    $this->say($frame, [$id]);
                }
                // and, as with
            case DESTROY:
                if ($client !== null) {
                    $this->end_client($id);
                }
                break;
            case PING:
                break;
            case BIND_UID:
            case UNBIND_UID:
            case JOIN_GROUP:
            case LEAVE_GROUP:
            case SET_SESSION:
            case UPDATE_SESSION:
                if ($client !== null) {
                    $this->change($frame['command'], $id, $client, $ext);
                }
                break;
            default:
                $answer = $this->answer($frame['command'], $id, $client, $ext);
                send($this->inner[$from], pack('N', strlen($answer)) . $answer);
        }
    }

    private function say(array $frame, array $whom): void
    {
        $bytes = $frame['body'] . (($frame['flags'] & RAW) !== 0 ? '' : "\n");
        foreach ($whom as $id) {
            if (isset($this->clients[$id])) {
                send($this->clients[$id]->stream, $bytes);
            }
        }
    }

    private function change(int $command, int $id, Client $client, string $ext): void
    {
        switch ($command) {
            case BIND_UID:
                $this->unbind($id);
                $client->uid = $ext;
                $this->uids[$ext][$id] = $id;
                break;
            case UNBIND_UID:
                $this->unbind($id);
                break;
            case JOIN_GROUP:
                $client->groups[$ext] = $ext;
                $this->groups[$ext][$id] = $id;
                break;
            case LEAVE_GROUP:
                $this->leave($id, $ext);
                break;
            case SET_SESSION:
                $client->session = $ext;
                break;
            case UPDATE_SESSION:
                $old = $client->session === '' ? [] : read_value($client->session);
                $client->session = serialize(array_replace_recursive($old, read_value($ext)));
                break;
        }
    }

    private function answer(int $command, int $id, ?Client $client, string $ext): string
    {
        $sessions = fn (array $ids) => array_map(fn ($each) => $this->clients[$each]->session, $ids);
        $ids = fn () => array_combine(array_keys($this->clients), array_keys($this->clients));
        if ($command === GET_SESSION_BY_CLIENT_ID && $client !== null && $client->session !== '') {
            return $client->session;
        }
        return serialize(match ($command) {
            GET_SESSION_BY_CLIENT_ID => $client === null ? null : [],
            GET_ALL_CLIENT_SESSIONS => $sessions($ids()),
            IS_ONLINE => (int) ($client !== null),
            GET_CLIENT_ID_BY_UID => array_keys($this->uids[$ext] ?? []),
            BATCH_GET_CLIENT_ID_BY_UID => $this->each(json_decode($ext, true), fn ($uid) => array_keys($this->uids[$uid] ?? [])),
            GET_CLIENT_SESSIONS_BY_GROUP => $sessions($this->groups[$ext] ?? []),
            GET_CLIENT_COUNT_BY_GROUP => $ext === '' ? count($this->clients) : count($this->groups[$ext] ?? []),
            SELECT => $this->select(json_decode($ext, true)),
            GET_GROUP_ID_LIST => array_keys($this->groups),
            BATCH_GET_CLIENT_COUNT_BY_GROUP => $this->each(json_decode($ext, true), fn ($group) => count($this->groups[$group] ?? [])),
            default => throw new \RuntimeException("unknown command $command"),
        });
    }

    private function each(array $names, callable $answer): array
    {
        return array_combine($names, array_map($answer, $names));
    }

    private function select(array $query): array
    {
        $found = $query['where'] === [] ? array_keys($this->clients) : array_filter($query['where']['connection_id'] ?? [], fn ($id) => isset($this->clients[$id]));
        foreach ($query['where']['groups'] ?? [] as $group) {
            $found = array_merge($found, $this->groups[$group] ?? []);
        }
        foreach ($query['where']['uid'] ?? [] as $uid) {
            $found = array_merge($found, $this->uids[$uid] ?? []);
        }
        $fields = fn (Client $client) => ['session' => $client->session, 'uid' => $client->uid, 'groups' => $client->groups ?: null];
        return $this->each(array_values(array_unique($found)), fn ($id) => array_intersect_key($fields($this->clients[$id]), array_flip($query['fields'])));
    }
}

(new Gateway($argv[1], (int) $argv[2], (int) $argv[3], $argv[4]))->run();
