// loadgen - an independent load generator for message gateways (WebSocket and newline-framed TCP).
// C++17, Linux: epoll + pthread only. It talks to 127.0.0.0/8 and to nothing else.
// The contract the server has to fulfil and the meaning of every figure: see README.md.
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "../handshake_key.h"
#include "../integers.h"
#include "cpu_use.h"
#include "histogram.h"

static u64 now_ns() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (u64)t.tv_sec * 1000000000ull + (u64)t.tv_nsec;
}

static u64 mix(u64 x) {
  x += 0x9E3779B97F4A7C15ull;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ull;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBull;
  return x ^ (x >> 31);
}
static void put_hex(char* p, u64 v) {
  static const char H[] = "0123456789abcdef";
  for (int i = 15; i >= 0; i--) p[i] = H[v & 15], v >>= 4;
}
static bool get_hex(const char* p, u64& v) {
  v = 0;
  for (int i = 0; i < 16; i++) {
    unsigned c = (u8)p[i], d;
    if (c - '0' < 10)
      d = c - '0';
    else if (c - 'a' < 6)
      d = c - 'a' + 10;
    else
      return false;
    v = v << 4 | d;
  }
  return true;
}

// ---------------------------------------------------------------- options
enum Mode { IDLE, ECHO_, FANOUT, ALL, CHURN };
struct Url {
  bool ws = true;
  sockaddr_in addr{};
  std::string host, path = "/";
};
struct Opt {
  Mode mode = IDLE;
  std::string mode_name;
  Url url, pub;
  bool has_pub = false, json = false, join = true, touch = false, abrupt = false;
  long conns = 100, threads = 1, ramp = 0, hold = 10, depth = 1, size = 128, inflight = 512, srcs = 0, window = 1;
  double secs = 5, warmup = 1, rate = -1, timeout = 10, setup_timeout = 300, drain = 3;
  std::string group = "g1", hello;
  std::vector<int> pids;
} O;

static void die(const char* f, ...) {
  va_list a;
  va_start(a, f);
  fprintf(stderr, "loadgen: ");
  vfprintf(stderr, f, a);
  fprintf(stderr, "\n");
  va_end(a);
  exit(2);
}
static Url parse_url(const std::string& s) {
  Url u;
  std::string r;
  if (s.rfind("ws://", 0) == 0)
    u.ws = true, r = s.substr(5);
  else if (s.rfind("text://", 0) == 0)
    u.ws = false, r = s.substr(7);
  else
    die("url must start with ws:// or text://: %s", s.c_str());
  size_t sl = r.find('/');
  if (sl != std::string::npos) u.path = r.substr(sl), r.resize(sl);
  for (unsigned char c : u.path)
    if (c <= ' ' || c == 127) die("bad character in the path");
  size_t co = r.find(':');
  if (co == std::string::npos) die("url needs a port");
  u.host = r;
  std::string h = r.substr(0, co);
  char* end;
  long port = strtol(r.c_str() + co + 1, &end, 10);
  if (*end || port < 1 || port > 65535) die("bad port in the url");
  if (h == "localhost") h = "127.0.0.1";
  u.addr.sin_family = AF_INET;
  u.addr.sin_port = htons((uint16_t)port);
  if (inet_pton(AF_INET, h.c_str(), &u.addr.sin_addr) != 1) die("url needs a literal IPv4 address");
  if (ntohl(u.addr.sin_addr.s_addr) >> 24 != 127) die("refused: only 127.0.0.0/8 may be targeted");
  return u;
}

// ---------------------------------------------------------------- shared run state
static std::atomic<u64> g_t0{0}, g_m0{0}, g_m1{0};  // start of load, start and end of the measured window
static std::atomic<int> g_ready{0}, g_quit{0}, g_sig{0};
static std::atomic<u64> g_up{0}, g_first_connect{~0ull}, g_last_up{0};
static std::atomic<u64> g_completed{0};  // fan-out messages all subscribers have
static std::atomic<int> g_gone{0};       // subscribers that went away
static std::mutex g_err_mu;
static std::string g_first_error;
static u64 g_members = 0;  // subscribers up when the load starts
static void first_error(const std::string& s) {
  std::lock_guard<std::mutex> l(g_err_mu);
  if (g_first_error.empty()) g_first_error = s;
}

struct Slot {  // one published message
  std::atomic<u32> cnt{0};
  std::atomic<u64> last{0};
  u64 ts = 0;
};
static constexpr u64 RING = 1 << 16;
static std::unique_ptr<Slot[]> g_ring;
static std::string g_fill;  // printable filler, 2 * size long

enum St : u8 { S_FREE, S_CONN, S_HS, S_JOIN, S_TOUCH, S_UP, S_CLOSING, S_DEAD };
struct Conn {
  int fd = -1;
  St st = S_FREE;
  bool pub = false, want_out = false, tcp_wait = false;
  u32 id = 0;
  u64 seed = 0, t_start = 0, sent = 0, rcvd = 0;
  size_t outpos = 0;
  std::string in, out;
  std::unique_ptr<std::string> frag;
  std::unique_ptr<u64[]> ts;
  bool ws() const { return pub && O.has_pub ? O.pub.ws : O.url.ws; }
  const Url& url() const { return pub && O.has_pub ? O.pub : O.url; }
};

struct Stats {
  u64 attempts = 0, up = 0, f_connect = 0, f_handshake = 0, f_timeout = 0, f_eof = 0, f_reset = 0, f_proto = 0;
  u64 mismatch = 0, disorder = 0, dup = 0, gap = 0, sent = 0, rcvd = 0, measured = 0, pings = 0, closes = 0, unsolicited = 0,
      lost = 0, pub_rcvd = 0, cycles = 0, cycles_all = 0, close_clean = 0, close_eof = 0, stalled = 0, msg_timeouts = 0,
      ttl_incomplete = 0;
  Hist lat, hs, ttl;
  void merge(const Stats& o) {
    const u64* s = &o.attempts;
    u64* d = &attempts;
    for (; d <= &ttl_incomplete; d++, s++) *d += *s;
    lat.merge(o.lat);
    hs.merge(o.hs);
    ttl.merge(o.ttl);
  }
  u64 errors() const {
    return f_connect + f_handshake + f_timeout + f_eof + f_reset + f_proto + mismatch + disorder + dup + lost + msg_timeouts;
  }
};

// ---------------------------------------------------------------- worker thread
struct Worker {
  int id = 0, ep = -1, efd = -1;
  std::vector<Conn> conns;
  std::vector<char> rbuf = std::vector<char>(256 << 10);
  std::string wbuf, plain;
  Stats st;
  u64 rnd = 0;
  size_t next_start = 0, settled = 0, inprog = 0, rr = 0;
  u64 ramp_t0 = 0, last_scan = 0;
  bool reported = false, started = false, ended = false;
  double ramp = 0;
  // publisher (worker 0)
  Conn* pubc = nullptr;
  u64 pub_seq = 0, next_pub = 0, ttl_from = 0, ttl_seen = 0, last_progress = 0;
  double rate = 0;
  long consecutive_timeouts = 0;

  void fail(Conn& c, u64& counter, const char* what) {
    counter++;
    char b[160];
    snprintf(b, sizeof b, "conn %u (state %d): %s%s%s", c.id, (int)c.st, what, errno ? ": " : "", errno ? strerror(errno) : "");
    first_error(b);
    shut(c);
  }
  void settle(Conn& c) {  // left the set-up phase for good
    if (c.st == S_CONN || c.st == S_HS || c.st == S_JOIN || c.st == S_TOUCH) inprog--, settled++;
  }
  void shut(Conn& c) {
    if (c.fd >= 0) close(c.fd);
    c.fd = -1;
    c.in.clear();
    c.out.clear();
    c.outpos = 0;
    c.frag.reset();
    c.want_out = c.tcp_wait = false;
    if (O.mode != CHURN) {
      if (c.st == S_UP && !c.pub) g_gone++;
      settle(c);
    }
    c.st = S_DEAD;
  }
  void arm(Conn& c, bool out) {
    if (c.want_out == out) return;
    c.want_out = out;
    epoll_event e{};
    e.events = EPOLLIN | (out ? EPOLLOUT : 0u);
    e.data.ptr = &c;
    epoll_ctl(ep, EPOLL_CTL_MOD, c.fd, &e);
  }
  // write what is in c.out and then s
  void tx(Conn& c, const char* p, size_t n) {
    if (c.fd < 0) return;
    if (c.outpos < c.out.size()) {
      c.out.append(p, n);
      return;
    }
    while (n) {
      ssize_t k = send(c.fd, p, n, MSG_NOSIGNAL);
      if (k < 0 && errno == EINTR) continue;
      if (k < 0) {
        if (errno == EAGAIN) {
          c.out.assign(p, n);
          c.outpos = 0;
          arm(c, true);
          return;
        }
        return fail(c, st.f_reset, "send");
      }
      p += k;
      n -= (size_t)k;
    }
  }
  void flush(Conn& c) {
    while (c.outpos < c.out.size()) {
      ssize_t k = send(c.fd, c.out.data() + c.outpos, c.out.size() - c.outpos, MSG_NOSIGNAL);
      if (k < 0 && errno == EINTR) continue;
      if (k < 0) {
        if (errno == EAGAIN) return;
        return fail(c, st.f_reset, "send");
      }
      c.outpos += (size_t)k;
    }
    c.out.clear();
    c.outpos = 0;
    if (c.out.capacity() > 65536) c.out.shrink_to_fit();
    arm(c, false);
  }
  // append one message, framed, to wbuf
  void frame(Conn& c, const char* p, size_t n, u8 op = 1) {
    if (!c.ws()) {
      wbuf.append(p, n);
      wbuf += '\n';
      return;
    }
    rnd ^= rnd << 13, rnd ^= rnd >> 7, rnd ^= rnd << 17;
    u32 m = (u32)(rnd >> 16);
    u8 h[14];
    size_t k = 2;
    h[0] = 0x80 | op;
    if (n < 126)
      h[1] = 0x80 | (u8)n;
    else if (n < 65536)
      h[1] = 0x80 | 126, h[2] = (u8)(n >> 8), h[3] = (u8)n, k = 4;
    else {
      h[1] = 0x80 | 127;
      for (int i = 0; i < 8; i++) h[2 + i] = (u8)((u64)n >> (56 - 8 * i));
      k = 10;
    }
    memcpy(h + k, &m, 4);
    size_t o = wbuf.size();
    wbuf.resize(o + k + 4 + n);
    memcpy(&wbuf[o], h, k + 4);
    char* d = &wbuf[o + k + 4];
    u64 m8 = (u64)m << 32 | m, v;
    size_t i = 0;
    for (; i + 8 <= n; i += 8) memcpy(&v, p + i, 8), v ^= m8, memcpy(d + i, &v, 8);
    for (; i < n; i++) d[i] = (char)(p[i] ^ ((const char*)&m)[i & 3]);
  }
  void push(Conn& c) {
    tx(c, wbuf.data(), wbuf.size());
    wbuf.clear();
  }
  void send1(Conn& c, const char* p, size_t n, u8 op = 1) {
    wbuf.clear();
    frame(c, p, n, op);
    push(c);
  }
  // ---- echo messages: 'E' + 16 hex digits (connection << 40 | sequence) + filler
  u64 tag(const Conn& c, u64 seq) { return (u64)c.id << 40 | (seq & ((1ull << 40) - 1)); }
  void frame_echo(Conn& c, u64 ts) {
    plain.resize((size_t)O.size);
    plain[0] = 'E';
    put_hex(&plain[1], tag(c, c.sent));
    memcpy(&plain[17], g_fill.data() + c.sent % 61, (size_t)O.size - 17);
    c.ts[c.sent % (u64)O.depth] = ts;
    c.sent++;
    st.sent++;
    frame(c, plain.data(), plain.size());
  }
  bool check_echo(Conn& c, const char* p, size_t n) {
    u64 v = 0;
    if (n != (size_t)O.size || p[0] != 'E' || !get_hex(p + 1, v)) {
      st.mismatch++;
      first_error("echo: reply of another length or form");
      return false;
    }
    if (v != tag(c, c.rcvd)) {
      st.disorder++;
      first_error("echo: reply out of order or of another connection");
      return false;
    }
    if (memcmp(p + 17, g_fill.data() + c.rcvd % 61, n - 17)) {
      st.mismatch++;
      first_error("echo: filler differs");
      return false;
    }
    return true;
  }
  // ---- connection life
  void connect1(Conn& c) {
    const Url& u = c.url();
    c.t_start = now_ns();
    u64 f = g_first_connect.load();
    while (c.t_start < f && !g_first_connect.compare_exchange_weak(f, c.t_start)) {
    }
    st.attempts++;
    if (O.mode != CHURN) inprog++;
    c.st = S_CONN;
    c.sent = c.rcvd = 0;
    errno = 0;
    c.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c.fd < 0) return fail(c, st.f_connect, "socket");
    int one = 1;
    setsockopt(c.fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (O.srcs > 0) {
      sockaddr_in s{};
      s.sin_family = AF_INET;
      s.sin_addr.s_addr = htonl(0x7f000002u + (u32)((O.mode == CHURN ? st.attempts : c.id) % (u64)O.srcs));
      setsockopt(c.fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
      if (bind(c.fd, (sockaddr*)&s, sizeof s) < 0) return fail(c, st.f_connect, "bind");
    }
    int r = connect(c.fd, (const sockaddr*)&u.addr, sizeof u.addr);
    if (r < 0 && errno != EINPROGRESS) return fail(c, st.f_connect, "connect");
    // On loopback the three-way handshake is usually over by now: look, and save an EPOLLOUT round.
    tcp_info ti{};
    socklen_t tl = sizeof ti;
    bool est = r == 0 || (getsockopt(c.fd, IPPROTO_TCP, TCP_INFO, &ti, &tl) == 0 && ti.tcpi_state == 1);
    c.tcp_wait = c.want_out = !est;
    epoll_event e{};
    e.events = EPOLLIN | (est ? 0u : EPOLLOUT);
    e.data.ptr = &c;
    if (epoll_ctl(ep, EPOLL_CTL_ADD, c.fd, &e) < 0) return fail(c, st.f_connect, "epoll_ctl");
    if (est) connected(c);
  }
  void connected(Conn& c) {
    if (!c.ws()) return opened(c);
    u8 k[16];
    c.seed = mix(rnd ^ c.t_start ^ c.id);
    u64 a = mix(c.seed), b = mix(c.seed + 1);
    memcpy(k, &a, 8), memcpy(k + 8, &b, 8);
    std::string s = "GET " + c.url().path + " HTTP/1.1\r\nHost: " + c.url().host +
                    "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: " + base64(k, 16) +
                    "\r\nSec-WebSocket-Version: 13\r\n\r\n";
    c.st = S_HS;
    tx(c, s.data(), s.size());
  }
  void up(Conn& c) {
    if (O.mode != CHURN) settle(c);
    c.st = S_UP;
    st.up++;
    g_up++;
    u64 t = now_ns(), f = g_last_up.load();
    while (t > f && !g_last_up.compare_exchange_weak(f, t)) {
    }
    if (O.mode != CHURN) st.hs.add(t - c.t_start);
  }
  void opened(Conn& c) {
    if (c.pub) return up(c);
    if (!O.hello.empty()) send1(c, O.hello.data(), O.hello.size());
    if (c.fd < 0) return;
    if (O.mode == FANOUT && O.join) {
      c.st = S_JOIN;
      std::string j = "J" + O.group;
      send1(c, j.data(), j.size());
    } else if (O.mode == CHURN || (O.mode == IDLE && O.touch)) {
      c.st = S_TOUCH;
      wbuf.clear();
      frame_echo(c, now_ns());
      push(c);
    } else
      up(c);
  }
  bool handshake(Conn& c, size_t& used) {  // data in c.in; true when done
    size_t e = c.in.find("\r\n\r\n");
    if (e == std::string::npos) {
      errno = 0;
      if (c.in.size() > 16384) fail(c, st.f_handshake, "handshake reply too long");
      return false;
    }
    u8 k[16], h[20];
    u64 a = mix(c.seed), b = mix(c.seed + 1);
    memcpy(k, &a, 8), memcpy(k + 8, &b, 8);
    std::string w = base64(k, 16) + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    sha1((const u8*)w.data(), w.size(), h);
    std::string want = base64(h, 20);
    bool ok = false, ext = false;
    size_t p = c.in.find("\r\n") + 2;
    while (p < e + 2) {
      size_t q = c.in.find("\r\n", p);
      if (!strncasecmp(c.in.data() + p, "sec-websocket-accept:", 21)) {
        size_t v = p + 21;
        while (v < q && (c.in[v] == ' ' || c.in[v] == '\t')) v++;
        size_t z = q;
        while (z > v && c.in[z - 1] == ' ') z--;
        ok = c.in.compare(v, z - v, want) == 0;
      }
      if (!strncasecmp(c.in.data() + p, "sec-websocket-extensions:", 25)) ext = true;
      p = q + 2;
    }
    errno = 0;
    if (c.in.compare(0, 12, "HTTP/1.1 101") != 0) {
      fail(c, st.f_handshake, ("handshake refused: " + c.in.substr(0, std::min<size_t>(c.in.find("\r\n"), 80))).c_str());
      return false;
    }
    if (!ok || ext) {
      fail(c, st.f_handshake, ext ? "extension not offered" : "wrong Sec-WebSocket-Accept");
      return false;
    }
    used = e + 4;
    return true;
  }
  // ---- parse as much as possible; returns consumed bytes; the connection may be dead afterwards
  size_t parse(Conn& c, char* p, size_t n, u64 t) {
    size_t o = 0;
    if (!c.ws()) {
      while (o < n && c.fd >= 0) {
        char* e = (char*)memchr(p + o, '\n', n - o);
        if (!e) break;
        char* s = p + o;
        o = (size_t)(e - p) + 1;
        message(c, s, (size_t)(e - s), t);
      }
      return o;
    }
    while (c.fd >= 0 && n - o >= 2) {
      u8 a = (u8)p[o], b = (u8)p[o + 1];
      size_t h = 2;
      u64 len = b & 127;
      errno = 0;
      if ((a & 0x70) || (b & 0x80)) {
        fail(c, st.f_proto, "reserved bits or a masked frame from the server");
        return n;
      }
      if (len == 126) {
        if (n - o < 4) break;
        len = (u64)(u8)p[o + 2] << 8 | (u8)p[o + 3], h = 4;
      } else if (len == 127) {
        if (n - o < 10) break;
        len = 0;
        for (int i = 0; i < 8; i++) len = len << 8 | (u8)p[o + 2 + i];
        h = 10;
      }
      if (len > (64u << 20)) {
        fail(c, st.f_proto, "frame over 64 MiB");
        return n;
      }
      if (n - o < h + len) break;
      char* d = p + o + h;
      o += h + len;
      u8 op = a & 15;
      bool fin = a & 0x80;
      if (op >= 8) {
        if (!fin || len > 125) {
          fail(c, st.f_proto, "bad control frame");
          return n;
        }
        if (op == 9) {
          st.pings++;
          std::string keep;
          keep.swap(wbuf);  // the ping may come in the middle of a batch of replies
          send1(c, d, len, 10);
          wbuf.swap(keep);
        } else if (op == 8) {
          st.closes++;
          if (c.st == S_CLOSING) {
            st.close_clean++;
            cycle_done(c, t);
          } else
            fail(c, st.f_eof, "close frame from the server");
          return n;
        } else if (op != 10) {
          fail(c, st.f_proto, "unknown opcode");
          return n;
        }
      } else if (op == 0) {
        if (!c.frag) {
          fail(c, st.f_proto, "continuation without a start");
          return n;
        }
        c.frag->append(d, len);
        if (fin) {
          std::unique_ptr<std::string> f = std::move(c.frag);
          message(c, &(*f)[0], f->size(), t);
        }
      } else if (op <= 2) {
        if (c.frag) {
          fail(c, st.f_proto, "new message inside a fragmented one");
          return n;
        }
        if (fin)
          message(c, d, len, t);
        else
          c.frag.reset(new std::string(d, len));
      } else {
        fail(c, st.f_proto, "unknown opcode");
        return n;
      }
    }
    return o;
  }
  void message(Conn& c, char* p, size_t n, u64 t) {
    st.rcvd++;
    if (c.pub) {
      st.pub_rcvd++;
      return;
    }
    errno = 0;
    switch (c.st) {
      case S_JOIN:
        if (n == 1 && *p == 'j')
          up(c);
        else
          fail(c, st.f_proto, "another reply than 'j' to a join");
        return;
      case S_TOUCH:
        if (!O.hello.empty() && (!n || *p != 'E')) {
          st.unsolicited++;
          return;
        }
        if (!check_echo(c, p, n)) return shut(c);
        c.rcvd++;
        if (O.mode == IDLE) return up(c);
        if (!O.url.ws || O.abrupt) return cycle_done(c, t);
        c.st = S_CLOSING;
        send1(c, "\x03\xe8", 2, 8);
        return;
      case S_UP:
        if (O.mode == ECHO_) return echo_reply(c, p, n, t);
        if (O.mode == FANOUT || O.mode == ALL) return delivery(c, p, n, t);
        st.unsolicited++;
        return;
      default: st.unsolicited++;
    }
  }
  void echo_reply(Conn& c, char* p, size_t n, u64 t) {
    if (c.rcvd >= c.sent) {
      st.dup++;
      first_error("echo: more replies than messages");
      return;
    }
    if (!check_echo(c, p, n)) return shut(c);
    u64 ts = c.ts[c.rcvd % (u64)O.depth];
    c.rcvd++;
    if (t >= g_m0 && t < g_m1) st.measured++, st.lat.add(t - ts);
    if (rate <= 0 && t < g_m1 && !ended) frame_echo(c, t);
  }
  void delivery(Conn& c, char* p, size_t n, u64 t) {
    u64 seq, ts;
    if (n != (size_t)O.size || *p != 'M' || !get_hex(p + 1, seq) || !get_hex(p + 17, ts)) {
      st.mismatch++;
      first_error("fan-out: delivery of another length or form");
      return;
    }
    if (memcmp(p + 33, g_fill.data() + seq % 61, n - 33)) {
      st.mismatch++;
      first_error("fan-out: filler differs");
      return;
    }
    if (seq < c.rcvd) {
      st.dup++;
      first_error("fan-out: duplicate or reordered delivery");
      return;
    }
    if (seq > c.rcvd) st.gap += seq - c.rcvd;
    c.rcvd = seq + 1;
    c.sent++;  // deliveries this subscriber got
    if (t >= g_m0 && t < g_m1) st.measured++, st.lat.add(t > ts ? t - ts : 0);
    Slot& s = g_ring[seq % RING];
    u64 l = s.last.load(std::memory_order_relaxed);
    while (t > l && !s.last.compare_exchange_weak(l, t, std::memory_order_relaxed)) {
    }
    if (s.cnt.fetch_add(1) + 1 == g_members) {
      g_completed++;
      if (id != 0) {
        u64 one = 1;
        if (write(pub_efd, &one, 8) < 0) {
        }
      }
    }
  }
  static int pub_efd;
  void publish(u64 ts, u64 t) {
    Slot& s = g_ring[pub_seq % RING];
    s.cnt = 0;
    s.last = 0;
    s.ts = ts;
    plain.clear();
    if (!O.has_pub) {
      if (O.mode == FANOUT) {
        plain = "P" + O.group;
        plain += O.url.ws ? '\n' : '\t';
      } else
        plain = "A";
    }
    size_t o = plain.size();
    plain.resize(o + (size_t)O.size);
    plain[o] = 'M';
    put_hex(&plain[o + 1], pub_seq);
    put_hex(&plain[o + 17], ts);
    memcpy(&plain[o + 33], g_fill.data() + pub_seq % 61, (size_t)O.size - 33);
    pub_seq++;
    st.sent++;
    wbuf.clear();
    frame(*pubc, plain.data(), plain.size());
    push(*pubc);
    last_progress = t;
  }
  void pump_publisher(u64 t) {
    if (!pubc || pubc->fd < 0 || !started || t >= g_m1) return;
    // note completed messages in order
    drain_ttl(t);
    if (rate > 0) {
      while (next_pub <= t && next_pub < g_m1) {
        if (pub_seq - ttl_seen >= RING - 1 || pubc->out.size() > (64u << 20)) {
          st.stalled++;
          return;
        }
        publish(next_pub, t);
        if (pubc->fd < 0) return;
        next_pub += (u64)(1e9 / rate);
      }
    } else {
      if (pub_seq - ttl_seen >= (u64)O.window && t - last_progress > 5000000000ull) {
        st.msg_timeouts++;  // a message that did not reach everybody: give it up
        first_error("fan-out: a message did not reach all subscribers within 5 s");
        st.ttl_incomplete++;
        ttl_seen++;
        last_progress = t;
        if (++consecutive_timeouts >= 3) {
          ended = true;
          g_m1 = t;
          return;
        }
      }
      while (pub_seq - ttl_seen < (u64)O.window && pubc->fd >= 0) publish(now_ns(), t);
    }
  }
  void drain_ttl(u64 t) {
    while (ttl_seen < pub_seq) {
      Slot& s = g_ring[ttl_seen % RING];
      if (s.cnt.load() < g_members) break;
      u64 l = s.last.load();
      if (l >= g_m0 && s.ts < g_m1) st.ttl.add(l > s.ts ? l - s.ts : 0);
      ttl_seen++;
      last_progress = t;
      consecutive_timeouts = 0;
    }
  }
  void pump_echo(u64 t) {  // open loop: messages fall due at fixed times; latency counts from the due time
    if (rate <= 0 || !started || conns.empty()) return;
    while (next_pub <= t && next_pub < g_m1) {
      size_t k = 0;
      while (k < conns.size() && (conns[rr].st != S_UP || conns[rr].sent - conns[rr].rcvd >= (u64)O.depth))
        rr = (rr + 1) % conns.size(), k++;
      if (k == conns.size()) {
        st.stalled++;
        return;
      }
      Conn& c = conns[rr];
      rr = (rr + 1) % conns.size();
      wbuf.clear();
      frame_echo(c, next_pub);
      push(c);
      next_pub += (u64)(1e9 / rate);
    }
  }
  void cycle_done(Conn& c, u64 t) {
    u64 s = c.t_start;
    shut(c);
    t = now_ns();
    st.cycles_all++;
    if (t >= g_m0 && t < g_m1) st.cycles++, st.lat.add(t - s);
    // the next cycle of this slot starts from the main loop: no recursion
  }
  void readable(Conn& c) {
    ssize_t k = recv(c.fd, rbuf.data(), rbuf.size(), 0);
    u64 t = now_ns();
    if (k < 0) {
      if (errno == EAGAIN || errno == EINTR) return;
      return fail(c, st.f_reset, "recv");
    }
    if (k == 0) {
      if (c.st == S_CLOSING) {
        st.close_eof++;
        return cycle_done(c, t);
      }
      errno = 0;
      return fail(c, st.f_eof, "connection closed by the server");
    }
    wbuf.clear();
    if (c.st == S_HS) {
      c.in.append(rbuf.data(), (size_t)k);
      size_t used = 0;
      if (!handshake(c, used)) return;
      std::string rest = c.in.substr(used);
      c.in.clear();
      c.in.shrink_to_fit();
      opened(c);
      wbuf.clear();
      if (c.fd >= 0 && !rest.empty()) {
        size_t o = parse(c, &rest[0], rest.size(), t);
        if (c.fd >= 0 && o < rest.size()) c.in = rest.substr(o);
      }
    } else if (c.in.empty()) {
      size_t o = parse(c, rbuf.data(), (size_t)k, t);
      if (c.fd >= 0 && o < (size_t)k) c.in.assign(rbuf.data() + o, (size_t)k - o);
    } else {
      c.in.append(rbuf.data(), (size_t)k);
      std::string s;
      s.swap(c.in);
      size_t o = parse(c, &s[0], s.size(), t);
      if (c.fd >= 0 && o < s.size()) {
        if (o) s.erase(0, o);
        c.in.swap(s);
      }
    }
    if (!wbuf.empty()) {
      if (c.fd >= 0) push(c);
      wbuf.clear();
    }
  }
  void event(const epoll_event& e) {
    Conn& c = *(Conn*)e.data.ptr;
    if (c.fd < 0) return;
    if (c.tcp_wait) {
      int err = 0;
      socklen_t l = sizeof err;
      getsockopt(c.fd, SOL_SOCKET, SO_ERROR, &err, &l);
      if (err) {
        errno = err;
        return fail(c, st.f_connect, "connect");
      }
      if (!(e.events & EPOLLOUT)) return;
      c.tcp_wait = false;
      arm(c, false);
      connected(c);
      return;
    }
    if (e.events & EPOLLOUT) flush(c);
    if (c.fd >= 0 && (e.events & (EPOLLIN | EPOLLHUP | EPOLLERR))) readable(c);
  }
  void start_more(u64 t) {
    if (!ramp_t0) ramp_t0 = t;
    size_t may = conns.size();
    if (ramp > 0) may = std::min(may, (size_t)((double)(t - ramp_t0) / 1e9 * ramp) + 1);
    size_t burst = 0;
    while (next_start < may && inprog < (size_t)O.inflight && burst++ < 64) connect1(conns[next_start++]);
  }
  void scan_timeouts(u64 t) {
    if (t - last_scan < 250000000ull) return;
    last_scan = t;
    for (auto& c : conns)
      if (c.fd >= 0 && (c.st == S_CONN || c.st == S_HS || c.st == S_JOIN || c.st == S_TOUCH || c.st == S_CLOSING) &&
          (double)(t - std::min(t, c.t_start)) > O.timeout * 1e9) {
        errno = 0;
        fail(c, st.f_timeout, "no answer in time");
      }
  }
  void begin(u64 t) {
    started = true;
    last_progress = t;
    next_pub = g_t0;
    if (O.mode == ECHO_ && rate <= 0)
      for (auto& c : conns)
        if (c.st == S_UP) {
          wbuf.clear();
          u64 now = now_ns();
          for (long i = 0; i < O.depth; i++) frame_echo(c, now);
          push(c);
        }
  }
  void run() {
    rnd = mix((u64)id + 12345) | 1;
    std::vector<epoll_event> ev(1024);
    while (true) {
      u64 t = now_ns();
      if (g_quit) break;
      bool setting_up = O.mode != CHURN && settled < conns.size();
      if (O.mode != CHURN) {
        if (next_start < conns.size()) start_more(t);
        if (setting_up) scan_timeouts(t);
        if (!reported && settled >= conns.size()) reported = true, g_ready++;
      } else {
        if (!reported) reported = true, g_ready++;
        if (started) scan_timeouts(t);
      }
      u64 t0 = g_t0;
      if (t0 && !started && t >= t0) begin(t);
      if (started && O.mode == CHURN && t < g_m1)
        for (auto& c : conns)
          if (c.fd < 0) connect1(c);
      if (pubc) pump_publisher(t);
      if (O.mode == ECHO_) pump_echo(t);
      if (started && pubc && t >= g_m1) drain_ttl(t);
      // how long may we sleep
      i64_t wait = 20000000;
      if (next_start < conns.size() && O.mode != CHURN) wait = inprog < (size_t)O.inflight ? (ramp > 0 ? 500000 : 0) : 1000000;
      if (t0 && !started) wait = std::min<i64_t>(wait, t0 > t ? (i64_t)(t0 - t) : 0);
      if (started && rate > 0 && (pubc || O.mode == ECHO_) && next_pub < g_m1)
        wait = std::min<i64_t>(wait, next_pub > t ? (i64_t)(next_pub - t) : 50000);
      timespec ts = {wait / 1000000000, wait % 1000000000};
      int n = epoll_pwait2(ep, ev.data(), (int)ev.size(), &ts, nullptr);
      for (int i = 0; i < n; i++) {
        if (!ev[i].data.ptr) {
          u64 v;
          if (read(efd, &v, 8) < 0) {
          }
          continue;
        }
        event(ev[i]);
      }
    }
    // what is still outstanding is lost
    if (O.mode == ECHO_)
      for (auto& c : conns)
        if (c.st == S_UP) st.lost += c.sent - c.rcvd;
    if (pubc) drain_ttl(now_ns());
  }
  typedef int64_t i64_t;
};
int Worker::pub_efd = -1;

// ---------------------------------------------------------------- CPU use of the servers and of this program
static std::vector<Cpu> all_cpu() {
  std::vector<Cpu> v;
  rusage r;
  getrusage(RUSAGE_SELF, &r);
  Cpu me;
  me.user = (double)r.ru_utime.tv_sec + (double)r.ru_utime.tv_usec / 1e6;
  me.sys = (double)r.ru_stime.tv_sec + (double)r.ru_stime.tv_usec / 1e6;
  v.push_back(me);
  for (int p : O.pids) v.push_back(proc_cpu(p));
  return v;
}

static void on_sig(int) { g_sig = 1; }
static void sleep_until(u64 t) {
  while (!g_sig) {
    u64 n = now_ns();
    if (n >= t) return;
    u64 d = std::min<u64>(t - n, 100000000ull);
    timespec s = {0, (long)d};
    nanosleep(&s, nullptr);
  }
}
static void usage() {
  fprintf(stderr,
          "usage: loadgen idle|echo|fanout|all|churn --url ws://127.0.0.1:PORT/path | text://127.0.0.1:PORT [options]\n"
          "  --conns N --threads T --json --srcs K --inflight N --timeout S --pid P[,P..]\n"
          "  idle:   --ramp R/s --hold S --touch --hello STR\n"
          "  echo:   --depth D --size B --secs S --warmup W [--rate R: open loop]\n"
          "  fanout/all: --rate R (0 = closed loop) --window W --size B --secs S --warmup W --group G --no-join --pub URL\n"
          "  churn:  --conns C (concurrent) --secs S --size B --abrupt\n");
  exit(2);
}

int main(int argc, char** argv) {
  if (argc < 2) usage();
  O.mode_name = argv[1];
  const char* names[] = {"idle", "echo", "fanout", "all", "churn"};
  int m = -1;
  for (int i = 0; i < 5; i++)
    if (O.mode_name == names[i]) m = i;
  if (m < 0) usage();
  O.mode = (Mode)m;
  bool have_url = false;
  for (int i = 2; i < argc; i++) {
    std::string a = argv[i];
    auto val = [&]() -> std::string {
      if (i + 1 >= argc) die("%s needs a value", a.c_str());
      return argv[++i];
    };
    auto num = [&](double lo, double hi) {
      std::string v = val();
      char* e;
      double d = strtod(v.c_str(), &e);
      if (v.empty() || *e || !(d >= lo && d <= hi)) die("%s: a number from %g to %g, not '%s'", a.c_str(), lo, hi, v.c_str());
      return d;
    };
    if (a == "--url")
      O.url = parse_url(val()), have_url = true;
    else if (a == "--pub")
      O.pub = parse_url(val()), O.has_pub = true;
    else if (a == "--conns")
      O.conns = (long)num(1, 2e6);
    else if (a == "--threads")
      O.threads = (long)num(1, 64);
    else if (a == "--json")
      O.json = true;
    else if (a == "--srcs")
      O.srcs = (long)num(0, 60000);
    else if (a == "--inflight")
      O.inflight = (long)num(1, 100000);
    else if (a == "--timeout")
      O.timeout = num(0.1, 300);
    else if (a == "--setup-timeout")
      O.setup_timeout = num(1, 1800);
    else if (a == "--ramp")
      O.ramp = (long)num(0, 1e7);
    else if (a == "--hold")
      O.hold = (long)num(0, 3600);
    else if (a == "--touch")
      O.touch = true;
    else if (a == "--hello")
      O.hello = val();
    else if (a == "--depth")
      O.depth = (long)num(1, 65536);
    else if (a == "--size")
      O.size = (long)num(17, 16 << 20);
    else if (a == "--secs")
      O.secs = num(0.1, 600);
    else if (a == "--warmup")
      O.warmup = num(0, 60);
    else if (a == "--drain")
      O.drain = num(0, 60);
    else if (a == "--rate")
      O.rate = num(0, 1e7);
    else if (a == "--window")
      O.window = (long)num(1, 10000);
    else if (a == "--group")
      O.group = val();
    else if (a == "--no-join")
      O.join = false;
    else if (a == "--abrupt")
      O.abrupt = true;
    else if (a == "--pid") {
      std::string v = val();
      for (size_t p = 0; p < v.size();) {
        size_t q = v.find(',', p);
        if (q == std::string::npos) q = v.size();
        int id = atoi(v.substr(p, q - p).c_str());
        if (id > 0) O.pids.push_back(id);
        p = q + 1;
      }
    } else
      die("unknown option %s", a.c_str());
  }
  if (!have_url) usage();
  bool fan = O.mode == FANOUT || O.mode == ALL;
  if (fan && O.size < 33) die("fanout and all need --size of 33 or more");
  if (O.group.find_first_of("\n\t") != std::string::npos || O.group.empty()) die("bad group name");
  if (O.srcs == 0 && O.mode == CHURN) O.srcs = 16;
  if (O.srcs == 0 && O.conns > 20000) O.srcs = (O.conns + 19999) / 20000;
  if (O.threads > O.conns) O.threads = O.conns;
  if (O.mode == CHURN || O.mode == IDLE) O.depth = 1;

  rlimit rl;
  getrlimit(RLIMIT_NOFILE, &rl);
  rlim_t need = (rlim_t)O.conns + 100;
  if (rl.rlim_cur < need) {
    rl.rlim_cur = need;
    if (rl.rlim_max < need) rl.rlim_max = need;
    if (setrlimit(RLIMIT_NOFILE, &rl) < 0) die("needs %lu file descriptors: raise ulimit -n", (unsigned long)need);
  }
  for (int s : {SIGINT, SIGTERM, SIGHUP}) signal(s, on_sig);
  signal(SIGPIPE, SIG_IGN);
  // last resort bound on the running time
  alarm((unsigned)(O.setup_timeout + O.warmup + O.secs + O.drain + (O.mode == IDLE ? (double)O.hold : 0) + 120));

  g_fill.resize((size_t)O.size + 64);
  for (size_t i = 0; i < g_fill.size(); i++) g_fill[i] = (char)('!' + (i * 7 + i / 61) % 90);
  if (fan) g_ring.reset(new Slot[RING]);

  std::vector<Worker> W((size_t)O.threads);
  u32 next_id = 0;
  for (long i = 0; i < O.threads; i++) {
    Worker& w = W[(size_t)i];
    w.id = (int)i;
    w.ep = epoll_create1(EPOLL_CLOEXEC);
    w.efd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    epoll_event e{};
    e.events = EPOLLIN;
    e.data.ptr = nullptr;
    epoll_ctl(w.ep, EPOLL_CTL_ADD, w.efd, &e);
    long n = O.conns / O.threads + (i < O.conns % O.threads);
    bool p = fan && i == 0;
    w.conns.resize((size_t)n + p);
    for (auto& c : w.conns) {
      c.id = next_id++;
      if (!fan) c.ts.reset(new u64[(size_t)O.depth]());
    }
    if (p) w.pubc = &w.conns.back(), w.pubc->pub = true;
    w.ramp = (double)O.ramp / (double)O.threads;
    if (O.rate > 0) w.rate = O.mode == ECHO_ ? O.rate / (double)O.threads : O.rate;
  }
  Worker::pub_efd = W[0].efd;
  std::vector<std::thread> T;
  for (auto& w : W) T.emplace_back([&w] { w.run(); });

  // set-up
  u64 t_begin = now_ns();
  bool setup_ok = true;
  while (g_ready < O.threads && !g_sig) {
    timespec s = {0, 5000000};
    nanosleep(&s, nullptr);
    if ((double)(now_ns() - t_begin) > O.setup_timeout * 1e9) {
      setup_ok = false;
      first_error("set-up did not finish within --setup-timeout");
      break;
    }
  }
  u64 up_ns = g_last_up > g_first_connect ? g_last_up - g_first_connect : 0;
  u64 up_at_ready = g_up;
  if (O.mode != CHURN) {
    printf("READY %llu of %ld up in %.3f s\n", (unsigned long long)up_at_ready, O.conns + fan, (double)up_ns / 1e9);
    fflush(stdout);
  }
  std::vector<Cpu> c0 = all_cpu(), c1 = c0;
  u64 m0 = 0, m1 = 0;
  if (setup_ok && !g_sig) {
    if (O.mode == IDLE) {
      m0 = now_ns();
      sleep_until(m0 + (u64)(O.hold * 1e9));
      m1 = now_ns();
      c1 = all_cpu();
    } else {
      g_members = up_at_ready - (fan ? 1 : 0);
      if (fan) g_gone = 0;
      u64 t0 = now_ns() + 100000000ull;
      m0 = t0 + (u64)(O.warmup * 1e9);
      m1 = m0 + (u64)(O.secs * 1e9);
      g_m0 = m0;
      g_m1 = m1;
      if (O.mode == CHURN || g_members > 0) g_t0 = t0;
      sleep_until(m0);
      c0 = all_cpu();
      sleep_until(m1);
      c1 = all_cpu();
      if (g_sig) g_m1 = std::min<u64>(g_m1, now_ns());
      m1 = g_m1;
      // let what is under way arrive
      u64 limit = now_ns() + (u64)(O.drain * 1e9);
      while (now_ns() < limit && !g_sig) {
        timespec s = {0, 20000000};
        nanosleep(&s, nullptr);
        if (fan && g_completed >= W[0].pub_seq) break;
        if (O.mode == CHURN) {
          nanosleep(&s, nullptr);
          nanosleep(&s, nullptr);
          break;
        }
        if (O.mode == ECHO_) {  // racy reads, only used to stop early
          bool busy = false;
          for (auto& w : W)
            for (auto& c : w.conns)
              if (c.st == S_UP && c.sent != c.rcvd) busy = true;
          if (!busy) break;
        }
      }
    }
  }
  g_quit = 1;
  for (auto& w : W) {
    u64 one = 1;
    if (write(w.efd, &one, 8) < 0) {
    }
  }
  for (auto& t : T) t.join();
  Stats S;
  for (auto& w : W) S.merge(w.st);
  double dur = m1 > m0 ? (double)(m1 - m0) / 1e9 : 0;
  u64 still = 0;
  for (auto& w : W)
    for (auto& c : w.conns) still += c.st == S_UP;
  u64 expected = 0, delivered = 0;
  if (fan) {
    expected = W[0].pub_seq * g_members;
    for (auto& w : W)
      for (auto& c : w.conns)
        if (!c.pub) delivered += c.sent;
    S.lost = expected > delivered ? expected - delivered : 0;
  }
  double unit = O.mode == CHURN ? (double)S.cycles : (double)S.measured;

  std::string J = "{";
  auto add = [&](const char* k, const std::string& v) {
    if (J.size() > 1) J += ", ";
    J += "\"" + std::string(k) + "\": " + v;
  };
  auto num = [](double v, int prec = 1) {
    char b[64];
    snprintf(b, sizeof b, "%.*f", prec, v);
    return std::string(b);
  };
  auto cnt = [](u64 v) { return std::to_string(v); };
  auto str = [](const std::string& s) {
    std::string r = "\"";
    for (unsigned char c : s) {
      if (c == '"' || c == '\\')
        r += '\\', r += (char)c;
      else if (c < 32 || c > 126)
        r += '?';
      else
        r += (char)c;
    }
    return r + "\"";
  };
  auto hist = [&](const Hist& h) {
    return "{\"n\": " + cnt(h.n) + ", \"mean\": " + num(h.mean()) + ", \"p50\": " + num(h.pct(.5)) +
           ", \"p90\": " + num(h.pct(.9)) + ", \"p99\": " + num(h.pct(.99)) + ", \"p999\": " + num(h.pct(.999)) +
           ", \"max\": " + num((double)h.mx / 1e3) + "}";
  };
  add("mode", str(O.mode_name));
  add("conns", cnt((u64)O.conns));
  add("threads", cnt((u64)O.threads));
  add("size", cnt((u64)O.size));
  if (O.mode == ECHO_) add("depth", cnt((u64)O.depth));
  if (O.rate >= 0) add("rate", num(O.rate));
  add("seconds", num(dur, 3));
  if (O.mode != CHURN) {
    add("up", cnt(up_at_ready));
    add("setup_s", num((double)up_ns / 1e9, 3));
    add("handshakes_per_s", num(up_ns ? (double)up_at_ready / ((double)up_ns / 1e9) : 0));
    add("connect_us", hist(S.hs));
  }
  if (O.mode == IDLE) {
    add("up_at_end", cnt(still));
    add("pings_answered", cnt(S.pings));
    add("unsolicited", cnt(S.unsolicited));
  }
  if (O.mode == ECHO_) {
    add("msgs_per_s", num(dur > 0 ? unit / dur : 0));
    add("latency_us", hist(S.lat));
    add("sent", cnt(S.sent));
  }
  if (fan) {
    add("published", cnt(W[0].pub_seq));
    add("deliveries_per_s", num(dur > 0 ? unit / dur : 0));
    add("delivery_us", hist(S.lat));
    add("time_to_last_us", hist(S.ttl));
    add("expected", cnt(expected));
    add("delivered", cnt(delivered));
    add("publisher_received", cnt(S.pub_rcvd));
    add("subscribers_gone", cnt((u64)g_gone));
  }
  if (O.mode == CHURN) {
    add("cycles_per_s", num(dur > 0 ? unit / dur : 0));
    add("cycle_us", hist(S.lat));
    add("cycles_total", cnt(S.cycles_all));
    add("close_reply", cnt(S.close_clean));
    add("close_eof_only", cnt(S.close_eof));
  }
  if (O.rate > 0) add("stalls", cnt(S.stalled));
  add("errors", cnt(S.errors()));
  add("error_detail",
      "{\"connect\": " + cnt(S.f_connect) + ", \"handshake\": " + cnt(S.f_handshake) + ", \"timeout\": " + cnt(S.f_timeout) +
          ", \"closed\": " + cnt(S.f_eof) + ", \"reset\": " + cnt(S.f_reset) + ", \"protocol\": " + cnt(S.f_proto) +
          ", \"mismatch\": " + cnt(S.mismatch) + ", \"order\": " + cnt(S.disorder) + ", \"duplicate\": " + cnt(S.dup) +
          ", \"lost\": " + cnt(S.lost) + ", \"gaps\": " + cnt(S.gap) + ", \"message_timeouts\": " + cnt(S.msg_timeouts) + "}");
  if (!g_first_error.empty()) add("first_error", str(g_first_error));
  double wall = dur > 0 ? dur : 1;
  add("loadgen_cpu",
      "{\"user\": " + num((c1[0].user - c0[0].user) / wall, 3) + ", \"sys\": " + num((c1[0].sys - c0[0].sys) / wall, 3) + "}");
  double su = 0, ss = 0;
  for (size_t i = 1; i < c0.size(); i++) {
    su += c1[i].user - c0[i].user;
    ss += c1[i].sys - c0[i].sys;
    add(("server_cpu_" + std::to_string(O.pids[i - 1])).c_str(),
        "{\"user\": " + num((c1[i].user - c0[i].user) / wall, 3) + ", \"sys\": " + num((c1[i].sys - c0[i].sys) / wall, 3) + "}");
  }
  if (!O.pids.empty()) {
    add("server_cpu", "{\"user\": " + num(su / wall, 3) + ", \"sys\": " + num(ss / wall, 3) + "}");
    if (unit > 0) add("server_cpu_us_per_unit", num((su + ss) * 1e6 / unit, 3));
  }
  J += "}";
  if (O.json)
    puts(J.c_str());
  else {  // the same figures, one per line
    int depth = 0;
    bool q = false;
    std::string line;
    for (size_t i = 1; i + 1 < J.size(); i++) {
      char c = J[i];
      if (c == '"' && J[i - 1] != '\\') q = !q;
      if (!q && c == '{') depth++;
      if (!q && c == '}') depth--;
      if (!q && c == ',' && depth == 0) {
        puts(line.c_str());
        line.clear();
        i++;
      } else if (c != '"')
        line += c;
    }
    puts(line.c_str());
  }
  return S.errors() ? 1 : 0;
}
