/// @file
/// MUST for C++17: image and video generation, with the whole platform around it, inside your own process.
///
/// A thin layer over must.h that adds nothing to the binary interface: everything is inline, so a program built with any
/// compiler and standard library works with the libmust that is installed, also a later one. Link with `must::must` (CMake)
/// or `pkg-config --libs must`.
///
/// Owners (Platform, Host, ManualClock, Events, Media, Frames, Server, Response) are move-only; their destructors free what they
/// own. A Task is move-only too, but owns nothing. Records (TaskState, ApiKey, Account, AuditEvent and so on) are plain values.
/// Platform::auth, ::admin, ::secrets, ::accounts and ::audit return small values that refer to the platform and do not own it. A
/// call that fails throws must::Error with the stable code, what happened, and what a person can do.
///
/// Every class may be used from any thread. Only one thread at a time may use an object, with these exceptions: any number of
/// threads may call the const members of a Platform, a Task or one of those five values at once. Calls on a Task or one of those
/// values throw `invalid_state` when their Platform was destroyed.
///
/// No name here is one that <X11/Xlib.h>, <windows.h> or Qt define as a macro, so the order of includes does not matter.
/// RTTI is not needed. Exceptions are needed: a program that is compiled without them has to use must.h.
///
/// A key, token or password is a must::SecretText, which is wiped when it is freed and cannot be printed.
///
///     must::Platform platform(must::Settings("must-data").admin_key(key));
///     const auto issued = platform.auth().issue_key("studio", std::chrono::hours(24));
///     const auto facts = must::RequestFacts::from_headers(must::Route::generation, headers, query, peer);
///     const auto principal = platform.auth().authorize(facts);  // Or throws the error to answer the request with.
///     platform.audit().append({principal.actor, "desk", "poster_ordered", "poster:7"});
#ifndef MUST_HPP
#define MUST_HPP

#include "must.h"
#include "must/access.hpp"
#include "must/accounts.hpp"
#include "must/audit.hpp"
#include "must/backup.hpp"
#include "must/error.hpp"
#include "must/facts.hpp"
#include "must/generate_request.hpp"
#include "must/handle.hpp"
#include "must/host.hpp"
#include "must/http.hpp"
#include "must/json.hpp"
#include "must/load.hpp"
#include "must/log.hpp"
#include "must/log_function.hpp"
#include "must/platform.hpp"
#include "must/secret_text.hpp"
#include "must/secrets.hpp"
#include "must/settings.hpp"
#include "must/submit_options.hpp"
#include "must/task.hpp"
#include "must/tasks.hpp"
#include "must/time.hpp"

#endif  // MUST_HPP
