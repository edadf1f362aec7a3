#pragma once

#include <gatehouse/cluster.h>
#include <gatehouse/worker.h>

#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <string_view>

#include "base/black_box.h"
#include "net/loop.h"
#include "worker/root_task.h"

namespace gatehouse {

/// What stands behind a Worker: its name, its timers and descriptors on the loop, and the tasks it has spawned.
class WorkerContext {
 public:
  WorkerContext(net::Loop& loop, Cluster& cluster, Scheduler& scheduler, std::string name, int index);
  WorkerContext(const WorkerContext&) = delete;
  WorkerContext& operator=(const WorkerContext&) = delete;

  [[nodiscard]] int index() const { return index_; }
  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] Cluster& cluster() const { return cluster_; }
  [[nodiscard]] net::Loop& loop() const { return loop_; }

  /// From now on `box` shows what of user code runs. It must outlive this.
  void record_in(BlackBox& box) { box_ = &box; }

  /// `work`, made safe for the loop: its exceptions are logged, and it is not called when this is gone.
  std::function<void()> guarded(std::function<void()> work);
  /// Expires when this is gone: for callbacks that the loop keeps.
  [[nodiscard]] std::weak_ptr<const bool> alive() const { return alive_; }
  void spawn(Task<> task);
  /// Destroys the spawned tasks that have not finished.
  void clear_tasks();
  [[nodiscard]] std::uint64_t errors() const { return error_count_; }
  /// As it was logged.
  [[nodiscard]] const std::string& last_error() const { return last_error_; }

  /// Calls `work`; an exception that leaves it is logged as one of `what`, and counted. False then.
  template <class Work>
  bool guard(const char* what, Work work) {
    const ActivityMark mark(box_, activity_of(what));
    try {
      work();
      return true;
    } catch (const std::exception& error) {
      last_error_ = std::string(what) + " failed: " + error.what();
    } catch (...) {
      last_error_ = std::string(what) + " failed with an exception that is no std::exception";
    }
    loop_.log().error("{}", last_error_);
    ++error_count_;
    return false;
  }

 private:
  static Activity activity_of(std::string_view what);

  net::Loop& loop_;
  BlackBox* box_ = nullptr;
  Cluster& cluster_;
  Scheduler& scheduler_;
  const std::string name_;
  const int index_;
  std::list<RootTask> tasks_;
  std::shared_ptr<const bool> alive_ = std::make_shared<const bool>(true);  // timers hold it weakly
  std::uint64_t error_count_ = 0;
  std::string last_error_;
};

}  // namespace gatehouse
