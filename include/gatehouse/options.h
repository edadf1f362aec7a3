#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include <gatehouse/events.h>
#include <gatehouse/inner_tls.h>
#include <gatehouse/router.h>

namespace gatehouse {

/// How a program runs on its machine. All of it may be left out; the command line's options of the same names come before it.
struct InstanceOptions {
  /// Where the pid file and the control socket stand (/run/gatehouse for root).
  std::string run_dir = {};
  std::string pid_file = {};
  std::string control_socket = {};
  /// Standard error when it is empty; of a daemon INSTANCE.log in run_dir.
  std::string log_file = {};
  /// debug, info, warning or error; info when it is empty.
  std::string log_level = {};
  /// text or json; text when it is empty.
  std::string log_format = {};
  /// Started as root: who all processes but the master become, once the ports are open. By name or number.
  std::string user = {};
  std::string group = {};
  /// That all processes together have to stop before they are killed; 0 is 5 s.
  std::chrono::milliseconds stop_timeout{0};
};

/// What becomes of a client that says more than it may in a second.
enum class RateAction {
  delay,  ///< it is not read from until it may say more, so that it is slowed down
  close,  ///< it is closed, with 1008
};

/// What becomes of messages to a client that does not read, when send_to_client_buffer_size is reached.
enum class SendBufferPolicy {
  disconnect,   ///< the client is closed, with 1008 as far as it still reads
  drop_newest,  ///< the new message is not sent to it
  drop_oldest,  ///< the oldest ones that wait are dropped to make room
  /// Of messages with the same SendOptions::latest_key only the latest is kept: when the limit is reached, older ones are
  /// dropped, and until the client has read all that waits, a new one takes the place of the one that waits. It comes as
  /// early as that one would have, so that a value that changes faster than the client reads is not put off for ever, and may
  /// come before other messages that were sent before it. A client that reads gets every message. Messages without a key are
  /// never dropped: when they and the latest of each key are too much, the client is closed as with `disconnect`.
  keep_latest,
};

/// The field of a WebSocket handshake in which proxies say who the client is.
enum class RealIpHeader {
  none,
  x_forwarded_for,  ///< X-Forwarded-For: the last address in it that is not a trusted proxy's
  x_real_ip,        ///< X-Real-IP
};

/// The phone book of a cluster: one process.
struct RegisterOptions {
  std::string name = "Register";
  /// "text://IP:PORT". Reachable from outside loopback only with a secret_key.
  std::string listen = "text://127.0.0.1:1236";
  /// Shared by all roles of the cluster; empty for none.
  std::string secret_key = {};
  /// The same in all roles of the cluster: see InnerTls.
  InnerTls inner_tls = {};
};

/// Processes that hold the clients of one public port.
struct GatewayOptions {
  std::string name = "Gateway";
  /// SCHEME://IP:PORT with websocket (or ws), text, frame, tcp, or a scheme of your own (Application::add_protocol). With "+tls"
  /// behind it, as in text+tls, it is encrypted; wss is websocket+tls.
  std::string listen = {};
  int count = 1;
  /// The IPv4 address that workers reach these processes at, or a name of one, looked up when a process starts; part of every
  /// client id.
  std::string lan_ip = "127.0.0.1";
  /// What the inner ports bind to, an address or a name, when it is not lan_ip (containers, NAT).
  std::string inner_listen = {};
  /// The inner port of process i is start_port + i.
  int start_port = 2000;
  std::vector<std::string> register_addresses = {"127.0.0.1:1236"};
  std::string secret_key = {};
  /// The same in all roles of the cluster: see InnerTls.
  InnerTls inner_tls = {};

  /// For an encrypted `listen`: files in PEM form, certificates (each with its intermediate ones behind it) and, in the same
  /// order, their keys without a passphrase. A client that names a host (SNI) is shown the first one that is for it, any other
  /// client the first of all. They are read again when they change and at `reload`; what is wrong then leaves the old ones in
  /// place.
  std::vector<std::string> tls_cert = {};
  std::vector<std::string> tls_key = {};
  /// New TLS handshakes of a process in a second; clients beyond it wait for their turn, within handshake_timeout. 0 is no limit.
  int max_tls_handshakes_per_second = 0;
  /// TLS handshakes of a process that have begun and are not done: each holds about 46 KB. When there are so many, the one that
  /// began first is ended if that is 2 s ago; until then new ones wait, within handshake_timeout.
  int max_tls_handshakes = 1024;

  /// Heartbeat; 0 is off. A client that is silent for ping_not_response_limit + 1 intervals is closed (limit 0: never), and
  /// ping_data, if any, is sent before a client has been silent for an interval, and again each interval. What the client's
  /// protocol decodes counts as life, WebSocket pings and pongs too.
  std::chrono::milliseconds ping_interval{0};
  int ping_not_response_limit = 0;
  std::string ping_data = {};

  /// Which worker a client is bound to; and, when there is one, what chooses a worker for every single event instead.
  LoadBalancing select_load_balancing_mode = LoadBalancing::least_connections;
  Router router = {};

  /// The longest message taken from a client, in bytes; 33,488,896 (32 MB less 64 KB) at most, for no worker takes more.
  std::size_t max_package_size = 1024 * 1024;
  /// The most frames that one WebSocket message may come in; a client that sends more is closed with 1008.
  int max_fragments = 1024;
  /// How much may wait for a client that does not read, in bytes, and what happens when that is reached.
  std::size_t send_to_client_buffer_size = 1024 * 1024;
  SendBufferPolicy send_buffer_policy = SendBufferPolicy::disconnect;
  /// How much may wait for a worker before reading from its clients is paused. Bytes.
  std::size_t send_to_worker_buffer_size = 10 * 1024 * 1024;
  /// Compresses WebSocket messages for clients that offer permessage-deflate (RFC 7692): one compression for each message,
  /// however many clients it goes to. An idle client costs no more memory for it, unless contexts are kept.
  bool deflate = false;
  int deflate_level = 1;                ///< 1 (quick) to 9 (small)
  std::size_t deflate_threshold = 256;  ///< bytes; shorter messages are sent plain
  int deflate_window_bits = 15;         ///< 9 to 15: the window is 2^bits bytes
  /// Messages to and from one client refer to earlier ones, which makes small ones much smaller, and costs the gateway about 300
  /// KB for each such client (at 15 window bits; 25 KB at 9). A message to many clients still is compressed once, without a
  /// context.
  bool deflate_context_takeover = false;
  /// What all contexts of a process may take, in bytes; clients beyond it get none.
  std::size_t deflate_context_memory = 64 * 1024 * 1024;

  /// WebSocket subprotocols, the best one first: the first that a client offers is agreed on. A client that offers none of them
  /// goes on without.
  std::vector<std::string> subprotocols = {};
  /// The business decides: the answer to a client's handshake waits for Events::on_websocket_connect, in which Client::refuse()
  /// lets nobody in and Client::choose_subprotocol() chooses. Clients come to workers of this library, also where workers of PHP
  /// are beside them. Where there are only workers of PHP, which have no word for that answer, their commands about the client
  /// are taken for it: closeClient refuses with 403; a write to $_SESSION, bindUid or joinGroup lets in, and so does a second
  /// without any of these (half of handshake_timeout if that is less).
  bool handshake_by_worker = false;
  /// Where pages that connect may come from, exactly as browsers say it: "https://chat.example", with the port where it is not
  /// the scheme's own. Anything else is refused with 403, also a client without an Origin. Empty: no check.
  std::vector<std::string> allowed_origins = {};
  /// Addresses of proxies in front, alone or as ranges: "10.0.0.5", "10.0.0.0/8", "2001:db8::/32". These are believed when they
  /// say who the client is, by one or both of the next two; nobody else is. A client's address is then the one told, for workers
  /// (as on_connect comes), logs, `connections` and limits. What such a proxy does on its own account, its health checks, counts
  /// for its own address, for which max_connections_per_address is not.
  std::vector<std::string> trusted_proxies = {};
  /// Trusted proxies begin each connection with a header of the PROXY protocol, version 1 or 2 (HAProxy's send-proxy, nginx's
  /// proxy_protocol); one that begins otherwise is closed. It has handshake_timeout to come.
  bool proxy_protocol = false;
  /// Trusted proxies say it in the WebSocket handshake. on_connect comes with the handshake then, not with the TCP connection.
  /// What is no address, and everything in front of it, is not believed. The client's port is 0 unless it is told.
  RealIpHeader real_ip_header = RealIpHeader::none;
  /// A path such as "/healthz", of which load balancers may ask whether to send clients here; only of websocket. GET and HEAD are
  /// answered with 200 while there is a worker, and with 503 while there is none or the gateway lets nobody in any more (`stop
  /// -g`). Who asks is no client, and no worker hears of it. So it must be known first who is one: on_connect comes with the
  /// handshake then, not with the TCP connection. Empty: such a request is answered as any other that is no handshake.
  std::string health_path = {};
  /// Of a handshake: bytes of its head, and header fields. More is refused with 431.
  std::size_t max_header_size = 8 * 1024;
  int max_header_fields = 64;

  /// Clients of one gateway process: in all, of one address, and new ones in a second; 0 is no limit. A WebSocket client over one
  /// is refused with 503, or 429 for its address.
  int max_connections = 0;
  int max_connections_per_address = 0;
  int max_new_connections_per_second = 0;
  int ipv6_prefix_bits = 64;  ///< what counts as one address of IPv6
  /// New clients are refused while a process has more heap than this in use, in bytes, looked at once a second; what came since
  /// then counts, and what those whose handshakes are not done may still take for them (max_header_size twice each, and 34 KB
  /// over TLS; 48 KB for each of up to max_tls_handshakes). Those that are there go on. 0 is no limit.
  std::size_t max_memory = 0;
  /// A client that has neither a uid nor a group so long after its connect is closed; 0 is never.
  std::chrono::milliseconds first_bind_timeout{0};
  /// What one client may say in a second; 0 is no limit. Pings count as messages.
  int max_messages_per_second = 0;
  std::size_t max_bytes_per_second = 0;
  RateAction over_rate = RateAction::delay;
  /// What all clients of a process together may have said of messages, or of TLS records, that are not whole yet, beyond 16 KB of
  /// each client, which it may always have said. Bytes. Over it those clients are closed, with 1013, that hold much and have
  /// stalled for long: the product of the two decides.
  std::size_t unfinished_messages_size = 64 * 1024 * 1024;
  /// Time for a message to become whole: from its first byte, and anew with every 16 KB of it. A slow client is not cut as long
  /// as it gets 16 KB (or what is left) through in this time; one that is slower, or silent, in the middle of a message is closed
  /// with 1008. 0: never.
  std::chrono::milliseconds message_timeout{60'000};
  /// Time for a peer of the inner port to show the secret_key, where there is one.
  std::chrono::milliseconds inner_connect_timeout{10'000};

  /// A file to which a line is appended for each client that comes, and one for each that goes, with the reason and how much it
  /// said and was sent; in the form of the log (text or json). Gateways may share one. Empty: none.
  std::string access_log = {};

  /// Time for the handshakes of TLS and WebSocket together, from the accept.
  std::chrono::milliseconds handshake_timeout{10'000};
  /// How long, and how many bytes of, events wait in a gateway process that has no worker at all. A WebSocket client's request
  /// counts eightfold, for what it may become for a worker of PHP.
  std::chrono::milliseconds no_worker_timeout{30'000};
  std::size_t no_worker_buffer_size = 16 * 1024 * 1024;
  /// How much of events may be with one native worker that has not finished them, before reading from its clients is paused.
  /// Bytes; they are kept here so that another worker can get them, and take up to twice as much memory.
  std::size_t unfinished_buffer_size = 16 * 1024 * 1024;
  /// A native worker that gives no sign of life for so long (it hangs, or its machine is gone) is given up, and its clients and
  /// their unfinished events go to others. 0: never. Longer than the longest that a handler may block its process.
  std::chrono::milliseconds worker_timeout{60'000};
};

/// What becomes of an event that a worker had received and not finished when it died, was killed or lost its connection.
enum class Delivery {
  /// It is given to another worker, or to the one that replaces it, marked as Message::redelivered().
  at_least_once,
  /// It is lost.
  at_most_once,
};

/// Processes that run your Events.
struct WorkerOptions {
  /// With the process's index, its name in the cluster; different for each kind of worker on one machine.
  std::string name = "Worker";
  int count = 1;
  EventsFactory events = {};
  std::vector<std::string> register_addresses = {"127.0.0.1:1236"};
  std::string secret_key = {};
  /// The same in all roles of the cluster: see InnerTls.
  InnerTls inner_tls = {};
  /// From native gateways; PHP gateways know nothing but at most once.
  Delivery delivery = Delivery::at_least_once;
  /// A handler, timer or task that holds the process's thread for longer is logged with the client, the event and a backtrace of
  /// where it is, and counted (`blocked` in status). 0 is never. The signal that asks for the backtrace makes a blocking call in
  /// that handler return EINTR.
  std::chrono::milliseconds blocked_after{5'000};
  /// One that does so for this long has its process killed, and another started. 0, the default, is never.
  std::chrono::milliseconds kill_blocked_after{0};
};

/// A process of any other kind beside the roles, started, watched and stopped with them: a web page, an exporter, a bridge.
struct ProcessOptions {
  std::string name = {};
  /// "IP:PORT" that it will listen on, if any: checked to be free before anything starts, and shown in the table.
  std::string listen = {};
  /// The process: returns when it has ended, or soon after `stopping` has been called back. Runs on the process's main thread;
  /// `on_stop` takes a function that may be called from another thread.
  std::function<int(const std::function<void(std::function<void()>)>& on_stop)> run = {};
};

}  // namespace gatehouse
