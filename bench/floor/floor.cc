// floor: what loopback TCP allows. Own code, not a product: minimal checks.
//  floor single PORT ws|text          one process, contract E/J/P/A
//  floor gw     PORT WPORT ws|text    gateway; forwards every message to the worker with a 28-byte header
//  floor worker WPORT                 worker; connects to the gateway's WPORT
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include <string>
#include <unordered_map>
#include <vector>

#include "../handshake_key.h"
#include "../integers.h"

#pragma pack(push, 1)
struct Hdr {
  u32 len;
  u8 cmd;
  u8 flags;
  uint16_t glen;
  u32 conn;
  u64 ctx;
  u32 a, b;
};  // 28 bytes, then glen + body
#pragma pack(pop)
static_assert(sizeof(Hdr) == 28, "");
enum { C_MSG = 1, C_OPEN, C_CLOSE, C_SEND, C_JOIN, C_GROUP, C_ALL };
struct Conn {
  int fd;
  u8 kind;
  bool hs;
  bool dirty;
  bool wantout;
  std::string in, out;
  size_t op = 0;
};  // kind 0 client, 1 worker link
static std::vector<Conn*> C;  // by fd
static int ep, lfd = -1, wlfd = -1;
static bool WS = true;
static int mode;  // 0 single, 1 gw, 2 worker
static Conn* wk = nullptr;
static std::unordered_map<std::string, std::vector<int>> groups;
static std::vector<int> dirty;
static char rb[256 << 10];
static void ctl(Conn* c, bool out) {
  if (c->wantout == out) return;
  c->wantout = out;
  epoll_event e{};
  e.events = EPOLLIN | (out ? EPOLLOUT : 0u);
  e.data.fd = c->fd;
  epoll_ctl(ep, EPOLL_CTL_MOD, c->fd, &e);
}
static void flush(Conn* c) {
  while (c->op < c->out.size()) {
    ssize_t k = send(c->fd, c->out.data() + c->op, c->out.size() - c->op, MSG_NOSIGNAL);
    if (k < 0) {
      if (errno == EAGAIN) {
        ctl(c, true);
        return;
      }
      c->out.clear();
      c->op = 0;
      return;
    }
    c->op += (size_t)k;
  }
  c->op = 0;
  if (c->out.capacity() > 4096 && c->kind == 0)
    std::string().swap(c->out);
  else
    c->out.clear();
  ctl(c, false);
}
static void mark(Conn* c) {
  if (!c->dirty) {
    c->dirty = true;
    dirty.push_back(c->fd);
  }
}
static size_t wshdr(u8* h, size_t n, u8 op = 0x81) {
  h[0] = op;
  if (n < 126) {
    h[1] = (u8)n;
    return 2;
  }
  if (n < 65536) {
    h[1] = 126;
    h[2] = (u8)(n >> 8);
    h[3] = (u8)n;
    return 4;
  }
  h[1] = 127;
  for (int i = 0; i < 8; i++) h[2 + i] = (u8)((u64)n >> (56 - 8 * i));
  return 10;
}
static void put(std::string& o, const char* p, size_t n) {
  if (WS) {
    u8 h[10];
    size_t k = wshdr(h, n);
    o.append((char*)h, k);
    o.append(p, n);
  } else {
    o.append(p, n);
    o += '\n';
  }
}
static void reply(Conn* c, const char* p, size_t n) {
  put(c->out, p, n);
  mark(c);
}
static std::string fan;
static void fan_one(int fd) {  // one frame to one member: straight to send()
  Conn* c = C[fd];
  if (!c || c->kind) return;
  if (!c->out.empty()) {
    c->out += fan;
    return;
  }
  ssize_t k = send(fd, fan.data(), fan.size(), MSG_NOSIGNAL);
  if (k < 0 && errno != EAGAIN) return;
  if (k < 0) k = 0;
  if ((size_t)k < fan.size()) {
    c->out.assign(fan, (size_t)k, std::string::npos);
    ctl(c, true);
  }
}
static void do_group(const std::string& g, const char* p, size_t n) {
  fan.clear();
  put(fan, p, n);
  auto it = groups.find(g);
  if (it != groups.end())
    for (int fd : it->second) fan_one(fd);
}
static void do_all(const char* p, size_t n) {
  fan.clear();
  put(fan, p, n);
  for (size_t i = 0; i < C.size(); i++)
    if (C[i] && !C[i]->kind && C[i]->hs) fan_one((int)i);
}
static void toworker(u8 cmd, u32 conn, const char* p, size_t n) {
  if (!wk) return;
  Hdr h{};
  h.len = (u32)(sizeof h + n);
  h.cmd = cmd;
  h.conn = conn;
  wk->out.append((char*)&h, sizeof h);
  wk->out.append(p, n);
  mark(wk);
}
// worker side
static void wcmd(Conn* c, u8 cmd, u32 conn, const char* g, size_t gn, const char* p, size_t n) {
  Hdr h{};
  h.len = (u32)(sizeof h + gn + n);
  h.cmd = cmd;
  h.glen = (uint16_t)gn;
  h.conn = conn;
  c->out.append((char*)&h, sizeof h);
  c->out.append(g, gn);
  c->out.append(p, n);
  mark(c);
}
static void worker_msg(Conn* c, u32 conn, const char* p, size_t n) {
  if (!n) return;
  switch (*p) {
    case 'E': wcmd(c, C_SEND, conn, "", 0, p, n); break;
    case 'J':
      wcmd(c, C_JOIN, conn, p + 1, n - 1, "", 0);
      wcmd(c, C_SEND, conn, "", 0, "j", 1);
      break;
    case 'A': wcmd(c, C_ALL, conn, "", 0, p + 1, n - 1); break;
    case 'P': {
      const char* e = (const char*)memchr(p, '\n', n);
      if (!e) e = (const char*)memchr(p, '\t', n);
      if (e) wcmd(c, C_GROUP, conn, p + 1, (size_t)(e - p - 1), e + 1, n - (size_t)(e + 1 - p));
    }
  }
}
static void client_msg(Conn* c, const char* p, size_t n) {
  if (mode == 1) {
    toworker(C_MSG, (u32)c->fd, p, n);
    return;
  }
  if (!n) return;
  switch (*p) {
    case 'E': reply(c, p, n); break;
    case 'J':
      groups[std::string(p + 1, n - 1)].push_back(c->fd);
      reply(c, "j", 1);
      break;
    case 'A': do_all(p + 1, n - 1); break;
    case 'P': {
      const char* e = (const char*)memchr(p, WS ? '\n' : '\t', n);
      if (e) do_group(std::string(p + 1, (size_t)(e - p - 1)), e + 1, n - (size_t)(e + 1 - p));
    }
  }
}
static void drop(Conn* c) {
  for (auto& g : groups)
    for (size_t i = 0; i < g.second.size(); i++)
      if (g.second[i] == c->fd) {
        g.second[i] = g.second.back();
        g.second.pop_back();
        i--;
      }
  if (c == wk)
    wk = nullptr;
  else if (mode == 1)
    toworker(C_CLOSE, (u32)c->fd, "", 0);
  C[c->fd] = nullptr;
  close(c->fd);
  delete c;
}
// returns consumed, -1: connection is gone
static ssize_t parse(Conn* c, char* p, size_t n) {
  size_t o = 0;
  if (c->kind == 1) {
    while (n - o >= sizeof(Hdr)) {
      Hdr h;
      memcpy(&h, p + o, sizeof h);
      if (n - o < h.len) break;
      const char* g = p + o + sizeof h;
      const char* b = g + h.glen;
      size_t bn = h.len - sizeof h - h.glen;
      o += h.len;
      if (mode == 2) {
        if (h.cmd == C_MSG) worker_msg(c, h.conn, b, bn);
        continue;
      }
      if (h.cmd == C_SEND) {
        Conn* d = h.conn < C.size() ? C[h.conn] : nullptr;
        if (d && !d->kind) reply(d, b, bn);
      } else if (h.cmd == C_JOIN)
        groups[std::string(g, h.glen)].push_back((int)h.conn);
      else if (h.cmd == C_GROUP)
        do_group(std::string(g, h.glen), b, bn);
      else if (h.cmd == C_ALL)
        do_all(b, bn);
    }
    return (ssize_t)o;
  }
  if (!WS) {
    while (o < n) {
      char* e = (char*)memchr(p + o, '\n', n - o);
      if (!e) break;
      client_msg(c, p + o, (size_t)(e - p) - o);
      o = (size_t)(e - p) + 1;
    }
    return (ssize_t)o;
  }
  if (!c->hs) {
    char* e = (char*)memmem(p, n, "\r\n\r\n", 4);
    if (!e) return 0;
    char* k = nullptr;
    for (char* q = p; q < e; q++)
      if (*q == '\n' && !strncasecmp(q + 1, "sec-websocket-key:", 18)) {
        k = q + 19;
        break;
      }
    if (!k) {
      drop(c);
      return -1;
    }
    while (*k == ' ') k++;
    std::string w(k, 24);
    w += "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    u8 h[20];
    sha1((u8*)w.data(), w.size(), h);
    c->out += "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " +
              base64(h, 20) + "\r\n\r\n";
    mark(c);
    c->hs = true;
    o = (size_t)(e - p) + 4;
    if (mode == 1) toworker(C_OPEN, (u32)c->fd, "", 0);
  }
  while (n - o >= 6) {
    u8 a = (u8)p[o], b = (u8)p[o + 1];
    size_t h = 2, len = b & 127;
    if (len == 126) {
      len = (size_t)(u8)p[o + 2] << 8 | (u8)p[o + 3];
      h = 4;
    } else if (len == 127) {
      if (n - o < 14) break;
      len = 0;
      for (int i = 0; i < 8; i++) len = len << 8 | (u8)p[o + 2 + i];
      h = 10;
    }
    if (n - o < h + 4 + len) break;
    u32 m;
    memcpy(&m, p + o + h, 4);
    char* d = p + o + h + 4;
    o += h + 4 + len;
    u64 m8 = (u64)m << 32 | m, v;
    size_t i = 0;
    for (; i + 8 <= len; i += 8) {
      memcpy(&v, d + i, 8);
      v ^= m8;
      memcpy(d + i, &v, 8);
    }
    for (; i < len; i++) d[i] ^= ((char*)&m)[i & 3];
    if ((a & 15) == 8) {
      u8 f[4] = {0x88, 2, 3, 0xe8};
      send(c->fd, f, 4, MSG_NOSIGNAL);
      drop(c);
      return -1;
    }
    if ((a & 15) <= 2) client_msg(c, d, len);
  }
  return (ssize_t)o;
}
static int lsn(int port) {
  int s = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1;
  setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  sockaddr_in a{};
  a.sin_family = AF_INET;
  a.sin_port = htons((uint16_t)port);
  a.sin_addr.s_addr = htonl(0x7f000001);
  if (bind(s, (sockaddr*)&a, sizeof a) || listen(s, 65535)) {
    perror("listen");
    exit(1);
  }
  epoll_event e{};
  e.events = EPOLLIN;
  e.data.fd = s;
  epoll_ctl(ep, EPOLL_CTL_ADD, s, &e);
  return s;
}
static Conn* addc(int fd, u8 kind) {
  int one = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  if ((size_t)fd >= C.size()) C.resize((size_t)fd * 3 / 2 + 64);
  Conn* c = new Conn{fd, kind, !WS, false, false, {}, {}};
  C[fd] = c;
  epoll_event e{};
  e.events = EPOLLIN;
  e.data.fd = fd;
  epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e);
  return c;
}
int main(int argc, char** argv) {
  if (argc < 3) return 2;
  signal(SIGPIPE, SIG_IGN);
  rlimit rl{1048576, 1048576};
  setrlimit(RLIMIT_NOFILE, &rl);
  mode = !strcmp(argv[1], "single") ? 0 : !strcmp(argv[1], "gw") ? 1 : 2;
  ep = epoll_create1(0);
  if (mode == 2) {
    int s = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in a{};
    a.sin_family = AF_INET;
    a.sin_port = htons((uint16_t)atoi(argv[2]));
    a.sin_addr.s_addr = htonl(0x7f000001);
    for (int i = 0; connect(s, (sockaddr*)&a, sizeof a); i++) {
      if (i > 50) {
        perror("connect");
        return 1;
      }
      usleep(100000);
    }
    addc(s, 1);
  } else {
    WS = strcmp(argv[mode == 1 ? 4 : 3], "text") != 0;
    lfd = lsn(atoi(argv[2]));
    if (mode == 1) wlfd = lsn(atoi(argv[3]));
  }
  std::vector<epoll_event> ev(1024);
  while (true) {
    int n = epoll_wait(ep, ev.data(), 1024, -1);
    for (int i = 0; i < n; i++) {
      int fd = ev[i].data.fd;
      if (fd == lfd || fd == wlfd) {
        for (int k = 0; k < 64; k++) {
          int s = accept4(fd, nullptr, nullptr, SOCK_NONBLOCK);
          if (s < 0) break;
          Conn* c = addc(s, fd == wlfd);
          if (fd == wlfd) wk = c;
        }
        continue;
      }
      Conn* c = C[fd];
      if (!c) continue;
      if (ev[i].events & EPOLLOUT) flush(c);
      if (!(ev[i].events & ~EPOLLOUT)) continue;
      ssize_t k = recv(fd, rb, sizeof rb, 0);
      if (k < 0 && errno == EAGAIN) continue;
      if (k <= 0) {
        if (mode == 2) return 0;
        drop(c);
        continue;
      }
      if (c->in.empty()) {
        ssize_t o = parse(c, rb, (size_t)k);
        if (o >= 0 && o < k) c->in.assign(rb + o, (size_t)(k - o));
      } else {
        c->in.append(rb, (size_t)k);
        std::string s;
        s.swap(c->in);
        ssize_t o = parse(c, &s[0], s.size());
        if (o >= 0 && (size_t)o < s.size()) c->in.assign(s, (size_t)o, std::string::npos);
      }
    }
    for (size_t i = 0; i < dirty.size(); i++) {
      Conn* c = C[dirty[i]];
      if (c) {
        c->dirty = false;
        flush(c);
      }
    }
    dirty.clear();
  }
}
