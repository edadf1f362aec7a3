#include "master/black_box_reader.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "wire/client_id.h"

namespace gatehouse::master {

Result<std::shared_ptr<BlackBoxReader>> BlackBoxReader::make(int program_fd) {
  net::Socket file(memfd_create("gatehouse-black-box", MFD_CLOEXEC));
  if (!file.valid() || ftruncate(file.fd(), BlackBoxPage::kSize) != 0) return os_failure("cannot make a black box", errno);
  const void* memory = mmap(nullptr, BlackBoxPage::kSize, PROT_READ, MAP_SHARED, file.fd(), 0);
  if (memory == MAP_FAILED) return os_failure("cannot map a black box", errno);
  net::Socket opened(fcntl(program_fd, F_DUPFD_CLOEXEC, 0));
  return std::shared_ptr<BlackBoxReader>(
      new BlackBoxReader(std::move(file), std::move(opened), static_cast<const BlackBoxPage*>(memory)));
}

BlackBoxReader::~BlackBoxReader() { munmap(const_cast<BlackBoxPage*>(page_), BlackBoxPage::kSize); }

std::string BlackBoxReader::report() const {
  const std::uint64_t told = page_->report_bytes;
  std::string text(std::min<std::uint64_t>(told, kMostReportBytes), '\0');
  const ssize_t got = pread(file_.fd(), text.data(), text.size(), BlackBoxPage::kSize);
  text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  return text;
}

std::string BlackBoxReader::activity() const {
  const Activity activity = page_->activity;
  if (activity == Activity::none) return "";
  const RecordedClient client = page_->client();
  std::string text = to_string(activity);
  if (client.connection == 0) return text;
  return text + " of client " + wire::format_client_id({client.gateway_ip, client.gateway_port, client.connection});
}

}  // namespace gatehouse::master
