// Every typed call of access, secrets and the audit log: its effect and its refusals.
#include "check.hpp"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

using must::RequestFacts;
using must::Route;
using namespace std::chrono_literals;

static const must::Caller ops{"ops", "cli", "ticket-7"};

static RequestFacts with_key(const must::SecretText &secret, Route route = Route::generation) {
  auto facts = RequestFacts::of(route);
  facts.header_keys = {secret};
  facts.peer = "198.51.100.2";
  return facts;
}

static RequestFacts with_cookie(const std::string &name, const must::SecretText &token, Route route = Route::generation) {
  auto facts = RequestFacts::of(route);
  facts.cookies.emplace_back(name + "=" + std::string(token.reveal()));
  return facts;
}

static RequestFacts login(const must::SecretText &key = "sixteen letters!") {
  auto facts = RequestFacts::of(Route::admin_login);
  facts.admin_header_keys = {key};
  facts.peer = "198.51.100.3";
  return facts;
}

static must::AuditEvent newest(const must::Platform &platform, const std::string &action) {
  must::AuditQuery query;
  query.action = action;
  const auto page = platform.audit().list(query);
  CHECK(page.size() > 0);
  return page.logs.front();
}

static void keys(const must::Platform &platform) {
  const auto auth = platform.auth();
  CHECK(auth.keys().empty());
  const auto issued = auth.issue_key("studio", 24h, ops);
  CHECK(issued.key.name == "studio" && issued.key.status == must::KeyStatus::active && issued.secret.reveal().size() > 40);
  CHECK(issued.key.expires_at - issued.key.created_at == 24h && !issued.key.revoked_at && !issued.key.replaced_by);
  const auto age = std::chrono::system_clock::now() - issued.key.created_at;
  CHECK(age > -1min && age < 30min);
  const auto event = newest(platform, "api_key_issue");
  CHECK(event.actor == "ops" && event.source == "cli" && event.correlation_id == "ticket-7" &&
        event.outcome == must::Outcome::success);

  auto facts = with_key(issued.secret);
  facts.correlation_id = "request-1";
  const auto principal = auth.authorize(facts);
  CHECK(principal.kind == must::PrincipalKind::api_key && principal.id == issued.key.id && principal.name == "studio");
  CHECK(principal.actor == "key:" + issued.key.id && principal.caller.actor == principal.actor);
  CHECK(principal.caller.source == "198.51.100.2" && principal.caller.correlation_id == "request-1");

  const auto next = auth.rotate_key(issued.key.id, 1h, principal.caller);
  CHECK(next.key.name == "studio" && next.key.id != issued.key.id && next.secret.reveal() != issued.secret.reveal());
  const auto all = auth.keys();
  CHECK(all.size() == 2 && all.front().id == next.key.id && all.back().status == must::KeyStatus::rotated);
  CHECK(all.back().replaced_by == next.key.id && auth.authorize(with_key(issued.secret)).id == issued.key.id);
  CHECK(auth.rotate_key(auth.issue_key("brief").key.id, 0s).key.name == "brief");
  THROWS(MUST_INVALID_STATE, auth.rotate_key(issued.key.id));

  const auto session = auth.open_session(with_key(next.secret, Route::auth));
  CHECK(auth.revoke_key(next.key.id, ops) == 1 && auth.revoke_key(next.key.id) == 0);
  const auto revoked = auth.keys();
  CHECK(std::any_of(revoked.begin(), revoked.end(), [&](const must::ApiKey &key) {
    return key.id == next.key.id && key.status == must::KeyStatus::revoked && key.revoked_at >= key.created_at;
  }));
  THROWS(MUST_INVALID_API_KEY, auth.authorize(with_key(next.secret)));
  THROWS(MUST_SESSION_EXPIRED, auth.authorize(with_cookie("gg_session", session.token)));

  THROWS(MUST_NOT_FOUND, auth.rotate_key("no-such"));
  THROWS(MUST_NOT_FOUND, auth.revoke_key("no-such"));
  THROWS(MUST_VALIDATION_ERROR, auth.issue_key(""));
  THROWS(MUST_VALIDATION_ERROR, auth.issue_key("studio", 0s));
  THROWS(MUST_VALIDATION_ERROR, auth.issue_key("studio", -1s));
  THROWS(MUST_VALIDATION_ERROR, auth.issue_key("studio", 91 * 24h));
  THROWS(MUST_VALIDATION_ERROR, auth.issue_key("studio", must::Seconds(std::numeric_limits<double>::infinity())));
  THROWS(MUST_VALIDATION_ERROR, auth.rotate_key(revoked.front().id, 8 * 24h));
  THROWS(MUST_VALIDATION_ERROR, auth.issue_key("\xff"));
}

static void sessions(const must::Platform &platform) {
  const auto auth = platform.auth();
  const auto first = auth.open_session(RequestFacts::of(Route::auth)), second = auth.open_session(RequestFacts::of(Route::auth));
  CHECK(first.id != second.id && first.expires_at > std::chrono::system_clock::now());
  const auto facts = with_cookie("gg_session", first.token);
  CHECK(auth.authorize(facts).kind == must::PrincipalKind::session);
  const auto state = auth.session_state(facts);
  CHECK(state.active && state.id == first.id && state.expires_at == first.expires_at);
  auth.revoke_session(first.id, ops);
  auth.revoke_session(first.id);
  THROWS(MUST_SESSION_EXPIRED, auth.authorize(facts));
  THROWS(MUST_SESSION_EXPIRED, auth.session_state(facts));
  THROWS(MUST_SESSION_REQUIRED, auth.session_state(RequestFacts::of(Route::generation)));
  CHECK(auth.revoke_all_sessions(ops) >= 1 && auth.revoke_all_sessions() == 0);
  THROWS(MUST_SESSION_REQUIRED, auth.authorize(RequestFacts::of(Route::generation)));
  THROWS(MUST_INVALID_API_KEY, auth.authorize(with_key(canary)));
  THROWS(MUST_INVALID_API_KEY, auth.open_session(with_key(canary, Route::auth)));
  THROWS(MUST_VALIDATION_ERROR, auth.open_session(RequestFacts::of(Route::generation)));
  THROWS(MUST_VALIDATION_ERROR, auth.authorize(RequestFacts::of(Route::unknown)));
  THROWS(MUST_NOT_FOUND, auth.revoke_session("no-such"));
  auto odd = RequestFacts::of(Route::generation);
  odd.peer = "nowhere";
  THROWS(MUST_VALIDATION_ERROR, auth.authorize(odd));
  auto evil = facts;
  evil.origin = "https://evil.example";
  THROWS(MUST_CORS_ORIGIN_BLOCKED, auth.session_state(evil));
  CHECK(auth.allows_origin("https://studio.example") && !auth.allows_origin("https://evil.example"));
}

static void admin_sessions(const must::Platform &platform) {
  const auto admin = platform.admin();
  const auto session = admin.open_session(login());
  CHECK(!session.id.empty() && !session.expires_at);
  auto facts = with_cookie("gg_admin_session", session.token, Route::admin);
  facts.peer = "198.51.100.4";
  const auto principal = platform.auth().authorize(facts);
  CHECK(principal.kind == must::PrincipalKind::admin_session && principal.id == session.id);
  const auto state = admin.session_state(principal.id, principal.caller);
  CHECK(state.active && state.id == session.id && state.idle_timeout > 0s &&
        state.last_activity_at <= std::chrono::system_clock::now());
  admin.revoke_session(session.id, principal.caller);
  THROWS(MUST_ADMIN_SESSION_EXPIRED, platform.auth().authorize(facts));
  static_cast<void>(admin.open_session(login()));
  CHECK(admin.revoke_all_sessions(ops) == 1 && admin.revoke_all_sessions() == 0);
  THROWS(MUST_ADMIN_KEY_INVALID, admin.open_session(login(canary)));
  THROWS(MUST_VALIDATION_ERROR, admin.open_session(RequestFacts::of(Route::admin)));
  THROWS(MUST_NOT_FOUND, admin.session_state("no-such"));
  THROWS(MUST_NOT_FOUND, admin.revoke_session("no-such"));
}

static void secrets(const must::Platform &platform) {
  const auto secrets = platform.secrets();
  const auto versions = [&](const std::string &name) {
    std::vector<must::SecretStatus> found;
    for (const auto &status : secrets.status()) {
      if (status.name == name) found.push_back(status);
    }
    return found;
  };
  const std::string value = std::string("canary-5f0e1d7b6a59 \" \\ \n \x01 \xf0\x9f\x98\x80");
  secrets.put("mail", value, ops);
  CHECK(secrets.get("mail").reveal() == value);
  const auto stored = versions("mail");
  CHECK(stored.size() == 1 && stored.front().state == must::SecretState::valid && !stored.front().id.empty() &&
        !stored.front().kind.empty());
  CHECK(stored.front().rotate_by > stored.front().issued_at && !stored.front().overlap_until && !stored.front().revoked_at);
  secrets.rotate("mail", must::SecretText("second"), 1h, ops);
  CHECK(secrets.get("mail").reveal() == "second");
  secrets.rotate("mail", must::SecretText("third"));
  CHECK(secrets.get("mail").reveal() == "third");
  const auto overlapping = versions("mail");
  CHECK(std::any_of(overlapping.begin(), overlapping.end(), [](const must::SecretStatus &status) {
    return status.state == must::SecretState::overlapping && status.overlap_until > status.issued_at;
  }));
  secrets.revoke("mail", ops);
  CHECK(versions("mail").front().state == must::SecretState::revoked && versions("mail").front().revoked_at);
  THROWS(MUST_DEPENDENCY_UNAVAILABLE, secrets.get("mail"));

  secrets.put_provider_token("hub", canary, {"inference", "model:download"}, "dev", ops);
  CHECK(secrets.get("hub").reveal() == canary);
  THROWS(MUST_VALIDATION_ERROR, secrets.put_provider_token("hub", canary, {"everything"}, "dev"));
  THROWS(MUST_VALIDATION_ERROR, secrets.put_provider_token("hub", canary, {"inference"}, "prod"));
  THROWS(MUST_VALIDATION_ERROR, secrets.put("No Such Name", canary));
  THROWS(MUST_VALIDATION_ERROR, secrets.put("mail", canary + std::string("\xff")));
  THROWS(MUST_NOT_FOUND, secrets.get("no-such"));
  THROWS(MUST_NOT_FOUND, secrets.rotate("no-such", must::SecretText(canary)));
  THROWS(MUST_NOT_FOUND, secrets.revoke("no-such"));
  THROWS(MUST_VALIDATION_ERROR, secrets.rotate("master_key", must::SecretText(canary)));
  secrets.rotate("master_key");
  CHECK(secrets.get("hub").reveal() == canary);

  // Revoking the pepper ends every key and session, so its name must be given twice. The admin key can still open a session afterwards.
  const auto key = platform.auth().issue_key("ended", std::nullopt, ops);
  const auto before = platform.admin().open_session(login());
  THROWS(MUST_VALIDATION_ERROR, secrets.revoke("pepper"));
  THROWS(MUST_VALIDATION_ERROR, secrets.revoke("pepper", "salt"));
  CHECK(platform.auth().authorize(with_key(key.secret)).kind == must::PrincipalKind::api_key);
  secrets.revoke("pepper", "pepper", ops);
  THROWS(MUST_INVALID_API_KEY, platform.auth().authorize(with_key(key.secret)));
  const auto after = platform.admin().open_session(login());
  CHECK(after.cookie == "gg_admin_session" && after.id != before.id);
  CHECK(versions("pepper").size() == 2 && versions("pepper").back().state == must::SecretState::valid);
  platform.admin().revoke_session(after.id);
}

static void audit(const must::Platform &platform, const std::string &folder) {
  const auto audit = platform.audit();
  must::NewAuditEvent restart{"ops", "cli", "restart", "lane", must::Outcome::success};
  restart.details = {{"why", "\"update\" \xf0\x9f\x98\x80"}, {"by", "hand"}};
  const auto event = audit.append(restart);
  CHECK(event.seq > 0 && event.v >= 1 && event.details == restart.details && event.prev.size() == 64 &&
        !event.correlation_id.empty());
  CHECK(event.actor == "ops" && event.source == "cli" && event.target == "lane" && event.outcome == must::Outcome::success);
  const auto age = std::chrono::system_clock::now() - event.time();
  CHECK(age > -1min && age < 30min);
  restart.outcome = must::Outcome::denied;
  restart.correlation_id = "c-1";
  CHECK(audit.append(restart).correlation_id == "c-1");

  must::AuditQuery query;
  query.actor = "ops";
  query.action = "restart";
  query.limit = 1;
  const auto page = audit.list(query, ops);
  CHECK(page.size() == 1 && page.begin()->outcome == must::Outcome::denied && page.next);
  query.before = page.next;
  CHECK(audit.list(query).logs.front().seq == event.seq);
  must::AuditQuery then;
  then.action = "restart";
  then.outcome = must::Outcome::success;
  then.since = event.time();
  CHECK(audit.list(then).logs.back().details == event.details);
  then.until = must::Time(1ms);
  const auto none = audit.list(then);
  CHECK(none.size() == 0 && none.begin() == none.end() && !none.next);
  query.limit = 1001;
  THROWS(MUST_VALIDATION_ERROR, audit.list(query));
  THROWS(MUST_VALIDATION_ERROR, audit.append({}));
  restart.outcome = must::Outcome::unknown;
  THROWS(MUST_VALIDATION_ERROR, audit.append(restart));

  const auto verdict = audit.verify();
  CHECK(verdict.ok && !verdict.fault && verdict.min_index == 0 && verdict.size > event.seq && !verdict.root.empty() &&
        verdict.anchors > 0 && verdict.checkpoints == verdict.size);
  CHECK(event.timestamp.size() == 24 && event.timestamp.back() == 'Z' && event.signed_size == event.seq);
  const auto proof = audit.prove_inclusion(event.seq);
  CHECK(proof.index == event.seq && !proof.proof.empty() && proof.text.find(proof.checkpoint) != std::string::npos);
  CHECK(must::Json::parse(proof.leaf)["seq"].get<std::uint64_t>() == event.seq);
  THROWS(MUST_NOT_FOUND, audit.prove_inclusion(1000000));
  const auto grown = audit.prove_consistency(2);
  CHECK(grown.old_size == 2 && !grown.old_root.empty() && !grown.proof.empty() && !grown.checkpoint.empty());
  THROWS(MUST_VALIDATION_ERROR, audit.prove_consistency(1000000));
  const auto checkpoint = audit.checkpoint();
  CHECK(checkpoint && checkpoint->find(verdict.origin) == 0);

  const auto exported = audit.export_to(folder + "/cpp-export", ops);
  CHECK(exported.folder == folder + "/cpp-export" && exported.files > 0 && exported.size > event.seq && exported.min_index == 0);
  CHECK(exported.verifier == audit.verifier() && std::ifstream(exported.folder + "/checkpoint").good());
  THROWS(MUST_VALIDATION_ERROR, audit.export_to(folder + "/cpp-export"));
  const auto pruned = audit.prune(365 * 24h, ops);
  CHECK(pruned.removed == 0 && pruned.min_index == 0);
  THROWS(MUST_VALIDATION_ERROR, audit.prune(1h));
  CHECK(audit.rotate_key(std::nullopt, ops).seq > event.seq && audit.verifier() != exported.verifier && audit.verify().ok);
  THROWS(MUST_INVALID_STATE, audit.recover("for no reason", ops));
}

// A data folder that was restored from a copy lacks the later events, and the anchors show this. The log can be continued.
static void damage(const std::string &folder) {
  namespace fs = std::filesystem;
  const auto data = folder + "/cpp-damage", copy = folder + "/cpp-damage-copy";
  const auto opened = [](const std::string &where) { return must::Platform(must::Settings(where).device("cpu").paused()); };
  opened(data).audit().append({"ops", "cli", "first", "door"});
  fs::copy(data, copy, fs::copy_options::recursive);
  opened(data).audit().append({"ops", "cli", "second", "door"});
  fs::copy_file(data + "/audit.anchors", copy + "/audit.anchors", fs::copy_options::overwrite_existing);
  const auto platform = opened(copy);
  const auto verdict = platform.audit().verify();
  CHECK(!verdict.ok && verdict.fault && verdict.fault->damage == must::Damage::truncated && !verdict.fault->detail.empty());
  CHECK(verdict.fault->seq > 0);
  THROWS(MUST_DEPENDENCY_UNAVAILABLE, platform.audit().append({"ops", "cli", "third", "door"}));
  CHECK(platform.audit().recover("the folder was put back from a copy", ops).actor == "ops");
  CHECK(platform.audit().append({"ops", "cli", "fourth", "door"}).outcome == must::Outcome::success);
}

// A copy of the folder that is made while the platform works, and can be opened as a data folder.
static void backup(const must::Platform &platform, const std::string &folder) {
  const auto made = platform.backup(folder + "/cpp-backup", ops);
  CHECK(made.folder == folder + "/cpp-backup" && made.database_bytes > 0 && made.audit_ok && made.missing_files == 0);
  CHECK(made.key_files.size() == 2 && !std::filesystem::exists(made.folder + "/keys"));
  const auto event = newest(platform, "backup");
  CHECK(event.actor == "ops" && event.target == made.folder && event.seq == made.audit_events);
  const must::Platform restored(must::Settings(made.folder).device("cpu").paused());
  CHECK(restored.tasks().total == made.tasks && restored.audit().verify().ok);
  THROWS(MUST_VALIDATION_ERROR, platform.backup(made.folder));
  THROWS(MUST_VALIDATION_ERROR, platform.backup(""));
}

static void by_name(const must::Platform &platform) {
  CHECK(platform.call("secrets.put", R"({"name": "by-name", "value": "canary"})") == "null");
  CHECK(platform.call("secrets.get", R"({"name": "by-name"})") == "\"canary\"");
  CHECK(platform.call("audit.verify").rfind("{\"ok\":true,", 0) == 0);
  THROWS(MUST_NOT_FOUND, platform.call("audit.nothing"));
  THROWS(MUST_VALIDATION_ERROR, platform.call("audit.verify", "[]"));
  // An answer of an unexpected form.
  must::detail::BufferHandle models;
  must::detail::call(must_models, platform.handle(), models.out());
  THROWS(MUST_INTERNAL, must::detail::answer<must::Load>("must_models", must::detail::text_of(models)));
  THROWS(MUST_INTERNAL, must::detail::answer<must::IssuedKey>("must_models", {}));
}

// Objects of a platform fail with an error after the platform is closed or destroyed.
static void after_the_end(must::Platform platform) {
  const auto auth = platform.auth();
  const auto audit = platform.audit();
  const auto moved = std::make_unique<must::Platform>(std::move(platform));
  std::vector<std::thread> threads;
  for (int n = 0; n < 4; ++n) threads.emplace_back([&] { CHECK(!auth.allows_origin("x") && audit.verify().ok); });
  for (auto &thread : threads) thread.join();
  moved->close();
  THROWS(MUST_INVALID_STATE, auth.keys());
  THROWS(MUST_INVALID_STATE, moved->secrets().status());
  THROWS(MUST_INVALID_STATE, moved->accounts().list());
}

void test_administration(const std::string &folder) {
  {
    must::Platform platform(guarded(folder, "cpp-administration"));
    keys(platform);
    sessions(platform);
    admin_sessions(platform);
    secrets(platform);
    audit(platform, folder);
    backup(platform, folder);
    by_name(platform);
    after_the_end(std::move(platform));
  }
  damage(folder);
  must::Auth gone(nullptr);
  {
    const must::Platform platform(must::Settings(folder + "/cpp-gone").paused());
    gone = platform.auth();
    THROWS(MUST_ADMIN_MISCONFIGURED, platform.admin().open_session(login()));
  }
  THROWS(MUST_INVALID_STATE, gone.keys());
}
