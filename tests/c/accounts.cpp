// Every typed call of worker accounts. The worker is another platform of this process behind its HTTP API.
#include "check.hpp"

#include <chrono>
#include <fstream>
#include <string>
#include <thread>

using namespace std::chrono_literals;
using must::AccountStatus;

static const must::Caller ops{"ops", "cli", "ticket-7"};
static const std::string token_secret = std::string(canary) + "-secret";

static must::NewAccount account(const std::string &label, const std::string &address) {
  must::NewAccount account{label, canary, token_secret};
  account.address = address;
  return account;
}

static must::WorkerSettings workers() {
  must::WorkerSettings settings;
  settings.networks({"127.0.0.0/8"}).api_key("sixteen-letters!").health_tries(3).health_pause(50ms);
  settings.connect_timeout(10s).answer_timeout(20s).transfer_timeout(60s).max_result_bytes(1 << 20).poll_interval(1s);
  // Otherwise a failed account might be checked again between two lines of a test.
  return settings.recheck_interval(0s);
}

// The account once no check of it is running.
static must::Account checked(const must::Platform &platform, const std::string &id) {
  for (;;) {
    auto account = platform.accounts().get(id);
    if (account.status != AccountStatus::checking) return account;
    std::this_thread::sleep_for(20ms);
  }
}

static void from_registration_to_removal(const must::Platform &platform, const std::string &dead_address) {
  const auto accounts = platform.accounts();
  const auto added = accounts.add(account("team-a", dead_address), ops);
  CHECK(added.label == "team-a" && added.workspace == "team-a" && added.address == dead_address &&
        added.status == AccountStatus::pending);
  CHECK(!added.error && !added.models && added.active == 0 && added.dispatched == 0 && !added.deployment);
  CHECK(!added.checked_at && !added.used_at && added.updated_at >= added.created_at);
  CHECK(accounts.list().size() == 1 && accounts.get("team-a").id == added.id && accounts.get(added.id).label == "team-a");

  const auto failed = accounts.health(added.id, ops);
  CHECK(failed.status == AccountStatus::failed && failed.error && failed.checked_at >= added.created_at);
  CHECK(failed.error->code == "remote_failed" && failed.error->error_code() == MUST_REMOTE_FAILED &&
        !failed.error->detail.empty());
  must::AccountChange change;
  change.label = "The first team";
  const auto renamed = accounts.update("team-a", change, ops);
  CHECK(renamed.label == "The first team" && renamed.workspace == "team-a" && renamed.status == AccountStatus::failed);
  CHECK(accounts.disable("team-a", ops).status == AccountStatus::disabled);
  THROWS(MUST_INVALID_STATE, accounts.disable("team-a"));
  THROWS(MUST_INVALID_STATE, accounts.health("team-a"));
  CHECK(accounts.enable("team-a", ops).status == AccountStatus::failed);
  THROWS(MUST_INVALID_STATE, accounts.enable("team-a"));
  THROWS(MUST_VALIDATION_ERROR, accounts.deploy("team-a"));
  THROWS(MUST_VALIDATION_ERROR, accounts.deploy_all());

  THROWS(MUST_VALIDATION_ERROR, accounts.add(account("team-a", dead_address)));
  THROWS(MUST_VALIDATION_ERROR, accounts.add(account(" ", dead_address)));
  THROWS(MUST_VALIDATION_ERROR, accounts.add(account("team-b", "http://8.8.8.8")));
  THROWS(MUST_VALIDATION_ERROR, accounts.add(account("team-b", "https://10.0.0.1")));
  THROWS(MUST_VALIDATION_ERROR, accounts.add({"team-b", canary, token_secret}));
  auto empty = account("team-b", dead_address);
  empty.token_id = "";
  THROWS(MUST_VALIDATION_ERROR, accounts.add(empty));
  must::AccountChange half;
  half.token_secret = token_secret;
  THROWS(MUST_VALIDATION_ERROR, accounts.update("team-a", half));
  for (const char *id : {"no-such", ""}) {
    THROWS(MUST_NOT_FOUND, accounts.get(id));
    THROWS(MUST_NOT_FOUND, accounts.update(id, change));
    THROWS(MUST_NOT_FOUND, accounts.enable(id));
    THROWS(MUST_NOT_FOUND, accounts.disable(id));
    THROWS(MUST_NOT_FOUND, accounts.health(id));
    THROWS(MUST_NOT_FOUND, accounts.remove(id));
  }
  accounts.remove("team-a", ops);
  CHECK(accounts.list().empty());
  THROWS(MUST_NOT_FOUND, accounts.get(added.id));

  must::AuditQuery query;
  query.action = "account_create";
  const auto event = platform.audit().list(query).logs.back();
  CHECK(event.actor == "ops" && event.correlation_id == "ticket-7" && event.target == "account:" + added.id);
}

static void with_a_worker(const must::Platform &platform, const std::string &address) {
  const auto accounts = platform.accounts();
  auto team = account("Team A", address);
  team.workspace = "team-a";
  CHECK(accounts.add(team).workspace == "team-a");
  const auto ready = accounts.health("team-a");
  if (ready.error) std::cerr << ready.error->detail << "\n";
  CHECK(ready.status == AccountStatus::ready && !ready.error && ready.models && !ready.models->empty());
  must::AccountChange key;
  key.api_key = "another-key-of-its-own";
  const auto refused = accounts.update("team-a", key);
  CHECK(refused.status == AccountStatus::failed && refused.error);
  must::AccountChange change;
  change.api_key = "sixteen-letters!";
  change.token_id = canary;
  change.token_secret = token_secret;
  accounts.update("team-a", change);
  CHECK(accounts.health("team-a").status == AccountStatus::ready);
}

static void deploying(const std::string &folder, const std::string &address) {
  const auto go = folder + "/go";
  const char *script = "while [ ! -e \"$1\" ]; do sleep 0.05; done; echo \"deploying $2 for $3 with $MODAL_TOKEN_SECRET\"";
  auto settings = workers();
  settings.deploy_command({"sh", "-c", script, "deploy", go, "{workspace}", "{label}"}).deploy_limit(1h);
  const must::Platform platform(guarded(folder, "cpp-deploy").workers(settings));
  const auto accounts = platform.accounts();
  auto team = account("Team A", address);
  team.workspace = "team-a";
  static_cast<void>(accounts.add(team));
  const auto begun = accounts.deploy("team-a", ops);
  CHECK(begun.status == AccountStatus::checking && begun.deployment && !begun.deployment->finished_at && !begun.deployment->ok);
  CHECK(begun.deployment->started_at >= begun.created_at);
  THROWS(MUST_INVALID_STATE, accounts.deploy("team-a"));
  THROWS(MUST_INVALID_STATE, accounts.health("team-a"));
  CHECK(accounts.deploy_all(ops).empty());
  std::ofstream(go) << "go";
  const auto ready = checked(platform, "team-a");
  CHECK(ready.status == AccountStatus::ready && ready.deployment && ready.deployment->ok);
  CHECK(ready.deployment->finished_at >= ready.deployment->started_at);
  CHECK(ready.deployment->output.find("deploying team-a for Team A with") != std::string::npos);
  CHECK(ready.deployment->output.find(token_secret) == std::string::npos);
  const auto all = accounts.deploy_all();
  CHECK(all.size() == 1 && all.front().workspace == "team-a");
  CHECK(checked(platform, "team-a").status == AccountStatus::ready);
  THROWS(MUST_NOT_FOUND, accounts.deploy("no-such"));

  // The template in the settings gives the address of an account without one.
  settings.address_template("https://{workspace}--must.example");
  const must::Platform templated(guarded(folder, "cpp-template").workers(settings));
  CHECK(templated.accounts().add({"team-b", canary, token_secret}).address == "https://team-b--must.example");
}

void test_accounts(const std::string &folder) {
  const must::Platform worker(must::Settings(folder + "/cpp-worker").device("cpu").paused().api_key("sixteen-letters!"));
  const auto server = worker.serve("127.0.0.1:0");
  const auto address = "http://" + server.address();
  {
    // The port is free again, and nothing listens there.
    const auto dead_address = "http://" + worker.serve("127.0.0.1:0").address();
    const must::Platform platform(guarded(folder, "cpp-accounts").workers(workers()));
    from_registration_to_removal(platform, dead_address);
    with_a_worker(platform, address);
  }
  deploying(folder, address);
}
