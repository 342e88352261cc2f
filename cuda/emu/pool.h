// The threads that the blocks of a launch are shared out among.
#pragma once
#include <algorithm>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

class Pool {
  std::mutex one, m;
  std::condition_variable wake, done;
  const std::function<void()> *job = 0;
  unsigned turn = 0, threads = 0, busy = 0;
  void loop() {
    std::unique_lock<std::mutex> l(m);
    for (unsigned seen = 0;;) {
      wake.wait(l, [&] { return turn != seen; });
      seen = turn;
      const std::function<void()> &f = *job;
      l.unlock();
      f();
      l.lock();
      if (--busy == 0) done.notify_one();
    }
  }

public:
  // run has every thread, up to 8 with the caller's, call f and returns when all have.
  void run(const std::function<void()> &f) {
    std::lock_guard<std::mutex> alone(one);
    std::unique_lock<std::mutex> l(m);
    if (!threads) {
      threads = std::min(std::max(1u, std::thread::hardware_concurrency()) - 1, 7u);
      for (unsigned i = 0; i < threads; i++) std::thread([this] { loop(); }).detach();
    }
    job = &f, busy = threads, turn++;
    wake.notify_all();
    l.unlock();
    f();
    l.lock();
    done.wait(l, [&] { return busy == 0; });
  }
};
