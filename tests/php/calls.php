<?php
// Every call that a worker or a back end may make of a cluster, over the inner protocol. Requests and results are those of
// tests/native_worker/calls.h, so that a test may put the same question to both.
declare(strict_types=1);

namespace Peer;

require_once __DIR__ . '/protocol.php';

/** Where calls go: to one gateway, or to all. */
interface Gateways
{
    /** @return string[] "IP:PORT" of each */
    public function addresses(): array;

    public function command(string $gateway, string $frame): void;

    public function ask(string $gateway, string $frame): mixed;
}

final class Calls
{
    public function __construct(private Gateways $gateways)
    {
    }

    /** The result of a request, null for a command. */
    public function make(array $request): mixed
    {
        $call = $request['call'];
        if (!method_exists($this, $call) || $call === '__construct' || $call === 'make') {
            throw new \InvalidArgumentException("no such call: $call");
        }
        return $this->$call($request);
    }

    private function to_client(array $request, int $command, mixed $body = '', string $ext = '', int $flags = 0): void
    {
        [$gateway, $connection] = parse_client_id($request['client']);
        $this->gateways->command($gateway, frame($command, $body, $ext, $connection, $flags));
    }

    private function to_all(string $frame): void
    {
        foreach ($this->gateways->addresses() as $gateway) {
            $this->gateways->command($gateway, $frame);
        }
    }

    private function ask_about(array $request, int $command): mixed
    {
        [$gateway, $connection] = parse_client_id($request['client']);
        return $this->gateways->ask($gateway, frame($command, connection: $connection));
    }

    /** @return array address to answer */
    private function ask_all(int $command, string $ext = ''): array
    {
        $answers = [];
        foreach ($this->gateways->addresses() as $gateway) {
            $answers[$gateway] = $this->gateways->ask($gateway, frame($command, ext: $ext));
        }
        return $answers;
    }

    /** @return array client id to fields */
    private function select(array $fields, array $where = []): array
    {
        $found = [];
        $query = to_json(['fields' => $fields, 'where' => $where]);
        foreach ($this->ask_all(SELECT, $query) as $gateway => $clients) {
            foreach ($clients as $connection => $values) {
                $found[client_id($gateway, $connection)] = $values;
            }
        }
        return $found;
    }

    /** Connection ids as {"3":3}, which is what PHP's json_encode makes of such an array unless it counts from 0. */
    private function ids_at(array $clients, string $gateway): array
    {
        $ids = [];
        foreach ($clients as $client) {
            [$address, $connection] = parse_client_id($client);
            if ($address === $gateway) {
                $ids[$connection] = $connection;
            }
        }
        return $ids;
    }

    private function flags(array $request): int
    {
        return empty($request['raw']) ? 0 : RAW;
    }

    // Messages.

    private function send_to_all(array $r): void
    {
        foreach ($this->gateways->addresses() as $gateway) {
            $except = $this->ids_at($r['except'] ?? [], $gateway);
            $this->gateways->command($gateway, frame(SEND_TO_ALL, $r['data'], $except ? to_json(['exclude' => $except]) : '', flags: $this->flags($r)));
        }
    }

    private function send_to_clients(array $r): void
    {
        $clients = array_diff($r['clients'], $r['except'] ?? []);
        foreach ($this->gateways->addresses() as $gateway) {
            $ids = $this->ids_at($clients, $gateway);
            if ($ids) {
                $this->gateways->command($gateway, frame(SEND_TO_ALL, $r['data'], to_json(['connections' => $ids]), flags: $this->flags($r)));
            }
        }
    }

    private function send_to_client(array $r): void
    {
        $this->to_client($r, SEND_TO_ONE, $r['data'], flags: $this->flags($r));
    }

    private function send_to_uid(array $r): void
    {
        $this->to_all(frame(SEND_TO_UID, $r['data'], to_json($r['uids']), flags: $this->flags($r)));
    }

    private function send_to_group(array $r): void
    {
        foreach ($this->gateways->addresses() as $gateway) {
            $target = ['group' => $r['groups'], 'exclude' => $this->ids_at($r['except'] ?? [], $gateway) ?: null];
            $this->gateways->command($gateway, frame(SEND_TO_GROUP, $r['data'], to_json($target), flags: $this->flags($r)));
        }
    }

    // Ends.

    private function close_client(array $r): void
    {
        $this->to_client($r, KICK, $r['last_words'] ?? null);
    }

    private function close_uid(array $r): void
    {
        foreach ($this->client_ids_by_uid($r) as $client) {
            $this->close_client(['client' => $client] + $r);
        }
    }

    private function destroy_client(array $r): void
    {
        $this->to_client($r, DESTROY);
    }

    // Names and sessions.

    private function bind_uid(array $r): void
    {
        $this->to_client($r, BIND_UID, ext: $r['uid']);
    }

    private function unbind_uid(array $r): void
    {
        $this->to_client($r, UNBIND_UID);
    }

    private function join_group(array $r): void
    {
        $this->to_client($r, JOIN_GROUP, ext: $r['group']);
    }

    private function leave_group(array $r): void
    {
        $this->to_client($r, LEAVE_GROUP, ext: $r['group']);
    }

    private function ungroup(array $r): void
    {
        $this->to_all(frame(UNGROUP, ext: $r['group']));
    }

    private function set_session(array $r): void
    {
        $this->to_client($r, SET_SESSION, ext: serialize($r['value']));
    }

    private function update_session(array $r): void
    {
        $this->to_client($r, UPDATE_SESSION, ext: serialize($r['value']));
    }

    /// As a foreach by reference leaves its array.
    private function update_session_with_references(array $r): void
    {
        $rows = [['n' => 1], ['n' => 2]];
        foreach ($rows as &$row) {
            $row['n']++;
        }
        $changes = serialize(['rows' => $rows, 'last' => &$row]);
        if (!str_contains($changes, 'R:')) {
            throw new \RuntimeException("no reference in $changes");
        }
        $this->to_client($r, UPDATE_SESSION, ext: $changes);
    }

    // Questions about one client.

    private function is_online(array $r): bool
    {
        return $this->ask_about($r, IS_ONLINE) === 1;
    }

    private function session(array $r): mixed
    {
        $session = $this->ask_about($r, GET_SESSION_BY_CLIENT_ID);
        return $session === [] ? new \stdClass() : $session;
    }

    private function fields_of(array $r, string $field): mixed
    {
        [$gateway, $connection] = parse_client_id($r['client']);
        $query = to_json(['fields' => [$field], 'where' => ['connection_id' => [$connection]]]);
        return $this->gateways->ask($gateway, frame(SELECT, ext: $query))[$connection][$field] ?? null;
    }

    private function uid_by_client_id(array $r): ?string
    {
        return $this->fields_of($r, 'uid');
    }

    private function groups_by_client_id(array $r): array
    {
        return self::sorted(array_values($this->fields_of($r, 'groups') ?? []));
    }

    // Questions about uids.

    private function client_ids_by_uid(array $r): array
    {
        return $this->client_ids_by_uids(['uids' => [$r['uid']]])[$r['uid']];
    }

    private function client_ids_by_uids(array $r): array
    {
        $found = array_fill_keys($r['uids'], []);
        foreach ($this->ask_all(BATCH_GET_CLIENT_ID_BY_UID, to_json($r['uids'])) as $gateway => $uids) {
            foreach ($uids as $uid => $connections) {
                foreach ($connections as $connection) {
                    $found[$uid][] = client_id($gateway, $connection);
                }
            }
        }
        return array_map(self::sorted(...), $found);
    }

    private function is_uid_online(array $r): bool
    {
        $found = array_filter($this->ask_all(GET_CLIENT_ID_BY_UID, $r['uid']));
        return $found !== [];
    }

    private function are_uids_online(array $r): array
    {
        return array_map(fn ($clients) => $clients !== [], $this->client_ids_by_uids($r));
    }

    private function uids(): array
    {
        return self::names(array_column($this->select(['uid']), 'uid'));
    }

    private function uid_count(): int
    {
        return count($this->uids());
    }

    private function uids_by_group(array $r): array
    {
        return self::names(array_column($this->select(['uid'], ['groups' => [$r['group']]]), 'uid'));
    }

    private function uid_count_by_group(array $r): int
    {
        return count($this->uids_by_group($r));
    }

    // Questions about clients.

    private function client_count(): int
    {
        return array_sum($this->ask_all(GET_CLIENT_COUNT_BY_GROUP));
    }

    private function client_count_by_group(array $r): int
    {
        return array_sum($this->ask_all(GET_CLIENT_COUNT_BY_GROUP, $r['group']));
    }

    private function client_counts_by_groups(array $r): array
    {
        $counts = array_fill_keys($r['groups'], 0);
        foreach ($this->ask_all(BATCH_GET_CLIENT_COUNT_BY_GROUP, to_json($r['groups'])) as $groups) {
            foreach ($groups as $group => $count) {
                $counts[$group] += $count;
            }
        }
        return $counts;
    }

    private function client_ids(): array
    {
        return self::sorted(array_keys($this->sessions()));
    }

    private function client_ids_by_group(array $r): array
    {
        return self::sorted(array_keys($this->sessions_by_group($r)));
    }

    private function sessions(): array
    {
        return $this->read_sessions($this->ask_all(GET_ALL_CLIENT_SESSIONS));
    }

    private function sessions_by_group(array $r): array
    {
        return $this->read_sessions($this->ask_all(GET_CLIENT_SESSIONS_BY_GROUP, $r['group']));
    }

    private function read_sessions(array $answers): array
    {
        $found = [];
        foreach ($answers as $gateway => $clients) {
            foreach ($clients as $connection => $session) {
                $found[client_id($gateway, $connection)] = $session === '' ? new \stdClass() : (read_value($session) ?: new \stdClass());
            }
        }
        return $found;
    }

    // Questions about groups.

    private function group_ids(): array
    {
        return self::names(array_merge(...array_values($this->ask_all(GET_GROUP_ID_LIST))));
    }

    private function clients_by_all_groups(): array
    {
        $found = [];
        foreach ($this->select(['groups']) as $client => $values) {
            foreach ($values['groups'] ?? [] as $group) {
                $found[$group][] = $client;
            }
        }
        return array_map(self::sorted(...), $found);
    }

    private function uids_by_all_groups(): array
    {
        $found = [];
        foreach ($this->select(['uid', 'groups']) as $values) {
            foreach ($values['groups'] ?? [] as $group) {
                $found[$group][] = $values['uid'];
            }
        }
        return array_filter(array_map(self::names(...), $found));
    }

    private function client_counts_by_all_groups(): array
    {
        return array_map(count(...), $this->clients_by_all_groups());
    }

    private function uid_counts_by_all_groups(): array
    {
        return array_map(count(...), $this->uids_by_all_groups());
    }

    /** What every gateway answers to any question, with the types that unserialize() gave. */
    private function question(array $r): array
    {
        return array_map(self::shape(...), array_values($this->ask_all($r['command'], $r['ext'] ?? '')));
    }

    private function question_about(array $r): mixed
    {
        return self::shape($this->ask_about($r, $r['command']));
    }

    /** Arrays as lists of [key, value], so that JSON shows whether a key is an integer. */
    private static function shape(mixed $value): mixed
    {
        return is_array($value) ? array_map(fn ($key, $each) => [$key, self::shape($each)], array_keys($value), $value) : $value;
    }

    /** Each name once and as text, without null, in order. */
    private static function names(array $names): array
    {
        return self::sorted(array_unique(array_map(strval(...), array_filter($names, fn ($name) => $name !== null))));
    }

    private static function sorted(array $list): array
    {
        sort($list, SORT_STRING);
        return $list;
    }
}
