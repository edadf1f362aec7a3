#include "master/describer.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <utility>

#include "master/child_environment.h"
#include "master/child_process.h"
#include "master/exit_reason.h"

namespace gatehouse::master {
namespace {

std::string last_line(std::string text) {
  while (text.ends_with('\n')) text.pop_back();
  const std::size_t start = text.rfind('\n');
  return start == std::string::npos ? text : text.substr(start + 1);
}

}  // namespace

Describer::~Describer() {
  loop_.cancel(timeout_);
  close(output_);
  close(complaint_);
  end_child();
}

void Describer::end_child() {
  if (pid_ == 0) return;
  kill(pid_, SIGKILL);
  while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
  pid_ = 0;
}

void Describer::describe(const Question& question, Done done) {
  done_ = std::move(done);
  end_child();  // one that took too long, if it is still there
  auto image = ProgramImage::open(question.program, {});
  if (!image) return fail(image.error().message);
  image_ = std::move(*image);
  net::Socket output;
  net::Socket complaint;
  std::string problem;
  if (!open(output_, kMostOutput, output, problem) || !open(complaint_, kMostComplaint, complaint, problem)) return fail(problem);
  auto configuration = write_configuration(question.configuration);
  if (!configuration) return fail(configuration.error().message);
  SpawnRequest request{.program = question.program,
                       .arguments = question.arguments,
                       .environment = inherited_environment(),
                       .descriptors = {output.fd(), configuration->fd()},
                       .identity = question.identity,
                       .program_fd = image_->program_fd(),
                       .error_fd = complaint.fd()};
  ChildEnvironment told;
  told.kind = ChildEnvironment::kDescribe;
  told.control_fd = kFirstDescriptor;
  told.configuration_fd = kFirstDescriptor + 1;
  // The seed of session tickets is for those that serve clients.
  std::erase_if(request.environment, [](const std::string& each) { return each.starts_with("GATEHOUSE_TICKET_SEED="); });
  for (std::string& variable : told.variables()) request.environment.push_back(std::move(variable));
  const Result<pid_t> pid = spawn(request);
  if (!pid) return fail(pid.error().message);
  pid_ = *pid;
  timeout_ = loop_.after(kTimeout, [this] {
    if (pid_ != 0) kill(pid_, SIGKILL);
    fail(fmt::format("the program did not say within {} s what it consists of",
                     std::chrono::duration_cast<std::chrono::seconds>(kTimeout).count()));
  });
}

bool Describer::open(Stream& stream, std::size_t most, net::Socket& writing, std::string& problem) {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) {
    problem = "cannot make a pipe: " + std::generic_category().message(errno);
    return false;
  }
  stream.end = net::Socket(ends[0]);
  writing = net::Socket(ends[1]);
  stream.text.clear();
  stream.most = most;
  fcntl(stream.end.fd(), F_SETFL, O_NONBLOCK);
  stream.watch = loop_.watch(stream.end.fd(), {.readable = true}, [this, &stream](net::Readiness) {
    read(stream);
    finish();
  });
  return true;
}

void Describer::read(Stream& stream) {
  std::array<char, 16 * 1024> piece{};
  while (stream.end.valid()) {
    const ssize_t got = ::read(stream.end.fd(), piece.data(), piece.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) return;
    if (got > 0) stream.text.append(piece.data(), std::min(static_cast<std::size_t>(got), stream.most - stream.text.size()));
    // One that says too much is not listened to any longer.
    if (got <= 0 || stream.text.size() >= stream.most) close(stream);
  }
}

void Describer::close(Stream& stream) {
  if (!stream.end.valid()) return;
  loop_.unwatch(stream.watch);
  stream.end = net::Socket();
}

void Describer::reap() {
  if (pid_ == 0 || waitpid(pid_, &status_, WNOHANG) != pid_) return;
  pid_ = 0;
  read(output_);
  read(complaint_);
  // What it left behind may have them open still.
  close(output_);
  close(complaint_);
  finish();
}

void Describer::finish() {
  if (!done_ || pid_ != 0 || output_.end.valid() || complaint_.end.valid()) return;
  const std::string why = last_line(complaint_.text);
  const std::string how = describe_exit(status_);
  if (status_ != 0) return fail(why.empty() ? "the program ended with " + how + " when it was asked what it consists of" : why);
  auto texts = decode_configuration(output_.text);
  if (!texts || texts->empty() || !texts->front().path.empty()) return fail("the program did not say what it consists of");
  Described described;
  described.description = std::move(texts->front().text);
  texts->erase(texts->begin());
  // The same open file, with what it has read.
  net::Socket file(fcntl(image_->program_fd(), F_DUPFD_CLOEXEC, 0));
  if (!file.valid()) return fail("cannot keep the program file open: " + std::generic_category().message(errno));
  described.image = std::make_shared<const ProgramImage>(std::move(file), std::move(*texts));
  tell(std::move(described));
}

void Describer::fail(const std::string& why) { tell(failure(why)); }

void Describer::tell(Result<Described> described) {
  loop_.cancel(timeout_);
  close(output_);
  close(complaint_);
  image_ = nullptr;
  // It may be asked again from in there.
  if (const Done done = std::exchange(done_, nullptr)) done(std::move(described));
}

}  // namespace gatehouse::master
