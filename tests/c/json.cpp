// The parts of the C++ layer: JSON, times, names, secrets in memory, the facts of a request.
#include "check.hpp"

#include <chrono>
#include <cmath>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <ostream>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

using must::Json;

template <typename T, typename = void>
constexpr bool is_printable = false;
template <typename T>
constexpr bool is_printable<T, std::void_t<decltype(std::declval<std::ostream &>() << std::declval<const T &>())>> = true;

static_assert(is_printable<std::string> && !is_printable<must::SecretText> && !is_printable<Json>);
static_assert(!std::is_convertible_v<must::SecretText, std::string_view> &&
              !std::is_convertible_v<must::SecretText, std::string>);
static_assert(std::is_convertible_v<const char *, must::SecretText> && std::is_nothrow_move_constructible_v<must::SecretText>);
static_assert(!std::is_convertible_v<void *, Json> && std::is_nothrow_move_constructible_v<Json>);

static void reading_and_writing() {
  // Text that is read is written unchanged.
  for (const char *text : {"null", "true", "false", "0", "-7", "18446744073709551615", "-9223372036854775808",
                           "9223372036854775807", "0.1", "-2.5", "1e+300", "1.7976931348623157e+308", "0.30000000000000004",
                           "\"\"", "[]", "{}", "\"a \\\" \\\\ / \\u0000 \\u001f \xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80\"",
                           R"({"b":[1,[2,{"c":null}],"x]}"],"a":{"":{}}})"}) {
    const std::string again = Json::parse(text).dump();
    if (again != text) std::cerr << text << " became " << again << "\n";
    CHECK(again == text);
  }
  CHECK(Json::parse(" \t\r\n[ 1 , { \"a\" : 2 } ] ").dump() == R"([1,{"a":2}])");
  CHECK(Json::parse(R"("\"\\\/\b\f\n\r\t\u0041\u00e9\u20AC\ud83d\ude00")").text() ==
        "\"\\/\b\f\n\r\tA\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80");
  CHECK(Json::parse("\"\\u0000x\"").text() == std::string_view("\0x", 2));
  CHECK(Json::parse("1E2").get<int>() == 100 && Json::parse("1e-400").get<double>() < 1e-300 &&
        Json::parse("-0").get<int>() == 0);
  CHECK(Json::parse("18446744073709551616").get<double>() > 1.8e19 && Json::parse("5e-324").get<double>() > 0);

  // The error for invalid JSON gives the position and quotes nothing.
  for (const char *text : {"",
                           " ",
                           "nul",
                           "nulll",
                           "True",
                           "undefined",
                           "01",
                           "-",
                           "+1",
                           "1.",
                           ".5",
                           "1e",
                           "1e+",
                           "0x1",
                           "1 2",
                           "NaN",
                           "Infinity",
                           "1e400",
                           "-1e400",
                           "[",
                           "[1",
                           "[1,",
                           "[1,]",
                           "[,]",
                           "[1 2]",
                           "]",
                           "{",
                           "{\"a\"",
                           "{\"a\":",
                           "{\"a\":1",
                           "{\"a\":1,}",
                           "{a:1}",
                           "{1:1}",
                           "{\"a\" 1}",
                           "'a'",
                           "\"",
                           "\"a",
                           "\"\\",
                           "\"\\x\"",
                           "\"\\u12\"",
                           "\"\\u12g4\"",
                           "\"\\ud83d\"",
                           "\"\\ud83dx\"",
                           "\"\\ud83d\\n\"",
                           "\"\\ud83d\\u0041\"",
                           "\"\\ude00\"",
                           "\"\n\"",
                           "\"\t\"",
                           "\"\xff\"",
                           "\"\xc0\x80\"",
                           "\"\xed\xa0\x80\"",
                           "\"\xf5\x80\x80\x80\"",
                           "\"\xe2\x82\"",
                           "\"canary-5f0e1d7b6a59",
                           "[canary-5f0e1d7b6a59]"}) {
    THROWS(MUST_VALIDATION_ERROR, Json::parse(text));
  }
  THROWS(MUST_VALIDATION_ERROR, Json::parse(std::string_view("1\0", 2)));
  CHECK(Json::parse(std::string(128, '[') + std::string(128, ']')).items().size() == 1);
  THROWS(MUST_VALIDATION_ERROR, Json::parse(std::string(130, '[') + std::string(130, ']')));
  THROWS(MUST_VALIDATION_ERROR, Json::parse(std::string(100000, '[')));

  // Truncated anywhere, or with any byte changed, the text is read or refused, without other effects.
  const std::string whole = R"({"a":[1,-2.5e3,"x\u00e9\ud83d\ude00",null,true],"b":{"c":"d"}})";
  for (std::size_t at = 0; at < whole.size(); ++at) {
    THROWS(MUST_VALIDATION_ERROR, Json::parse(std::string_view(whole).substr(0, at)));
    for (int byte = 0; byte < 256; ++byte) {
      std::string changed = whole;
      changed[at] = static_cast<char>(byte);
      try {
        const Json json = Json::parse(changed);
        CHECK(Json::parse(json.dump()).dump() == json.dump());
      } catch (const must::Error &error) {
        CHECK(error.code() == MUST_VALIDATION_ERROR);
      }
    }
  }
}

static void values() {
  Json json;
  CHECK(json.is_null() && json.dump() == "null");
  json.set("flag", true)
      .set("count", 3)
      .set("large", std::numeric_limits<std::uint64_t>::max())
      .set("text", "a\nb")
      .set("none", nullptr);
  json.set("count", 4).set("list", Json::array({1, 2.5, "x", Json()})).set("secret", must::SecretText(canary));
  CHECK(json.kind() == Json::Kind::object && json.members().size() == 7 && json.members()[1].first == "count");
  CHECK(json["flag"].get<bool>() && json["count"].get<std::uint8_t>() == 4 && json["text"].get<std::string>() == "a\nb");
  CHECK(json["large"].get<std::uint64_t>() == std::numeric_limits<std::uint64_t>::max());
  CHECK(json["none"].is_null() && json["no such"].is_null() && json.find("no such") == nullptr && json.find("none") != nullptr);
  CHECK(json["secret"].get<must::SecretText>().reveal() == canary);
  CHECK(json["list"].items().size() == 4 && json["list"].items()[1].get<double>() > 2.4);
  CHECK(Json().push(1).push("x").dump() == R"([1,"x"])" && Json::object({{"a", 1}}).dump() == R"({"a":1})");
  CHECK(Json::parse(R"({"a":1,"a":2})")["a"].get<int>() == 2);

  CHECK(Json::parse("[1,null]").get<std::vector<std::optional<int>>>() == (std::vector<std::optional<int>>{1, std::nullopt}));
  CHECK(
      (Json::parse(R"({"a":"b"})").get<std::map<std::string, std::string>>() == std::map<std::string, std::string>{{"a", "b"}}));
  CHECK(Json::parse("2e3").get<int>() == 2000 && Json::parse("3").get<float>() > 2.9F && Json(std::int8_t{-3}).get<int>() == -3);

  // Wrong types, and numbers that do not fit.
  THROWS(MUST_VALIDATION_ERROR, Json("x").get<int>());
  THROWS(MUST_VALIDATION_ERROR, Json(1).get<bool>());
  THROWS(MUST_VALIDATION_ERROR, Json(true).get<int>());
  THROWS(MUST_VALIDATION_ERROR, Json(canary).items());
  THROWS(MUST_VALIDATION_ERROR, Json(canary)["x"]);
  THROWS(MUST_VALIDATION_ERROR, Json(1).text());
  THROWS(MUST_VALIDATION_ERROR, Json().members());
  THROWS(MUST_VALIDATION_ERROR, Json(1).set("x", 1));
  THROWS(MUST_VALIDATION_ERROR, Json::object().push(1));
  THROWS(MUST_VALIDATION_ERROR, Json(256).get<std::uint8_t>());
  THROWS(MUST_VALIDATION_ERROR, Json(-1).get<std::uint64_t>());
  THROWS(MUST_VALIDATION_ERROR, Json(-129).get<std::int8_t>());
  THROWS(MUST_VALIDATION_ERROR, Json(std::uint64_t{1} << 63).get<std::int64_t>());
  THROWS(MUST_VALIDATION_ERROR, Json(1.5).get<int>());
  THROWS(MUST_VALIDATION_ERROR, Json(1e300).get<std::int64_t>());
  THROWS(MUST_VALIDATION_ERROR, Json(18446744073709551616.0).get<std::uint64_t>());
  THROWS(MUST_VALIDATION_ERROR, Json(std::numeric_limits<double>::infinity()));
  THROWS(MUST_VALIDATION_ERROR, Json(std::nan("")));
  CHECK(Json(-128).get<std::int8_t>() == -128 &&
        Json(-9223372036854775808.0).get<std::int64_t>() == std::numeric_limits<std::int64_t>::min());

  // Copies are independent, and a move keeps the value.
  Json copy = json;
  copy.set("flag", false);
  CHECK(json["flag"].get<bool>() && !copy["flag"].get<bool>());
  const Json moved = std::move(copy);
  CHECK(moved["count"].get<int>() == 4);
}

static void times_and_names() {
  const auto time = [](const char *text) { return Json(text).get<must::Time>().time_since_epoch().count(); };
  CHECK(time("1970-01-01T00:00:00Z") == 0 && time("1970-01-01T00:00:00.001Z") == 1 && time("1969-12-31T23:59:59.999Z") == -1);
  CHECK(time("2026-11-24T09:15:00.000Z") == 1795511700000 && time("2000-02-29T12:00:00.5Z") == 951825600500);
  CHECK(time("2026-11-24T09:15:00.123456789Z") == 1795511700123);
  for (const char *text :
       {"", "2026-11-24", "2026-11-24T09:15:00", "2026-11-24T09:15:00+01:00", "2026-13-24T09:15:00Z", "2026-11-24T24:15:00Z",
        "2026-11-24T09:15:00.Z", "2026-11-24T09:15:00,5Z", "x026-11-24T09:15:00Z", "2026-11-24 09:15:00Z", "Z"}) {
    THROWS(MUST_VALIDATION_ERROR, time(text));
  }
  CHECK(must::to_string(must::AccountStatus::checking) == std::string("checking"));
  CHECK(Json("broken_chain").get<must::Damage>() == must::Damage::broken_chain);
  CHECK(Json("of a later version").get<must::KeyStatus>() == must::KeyStatus::unknown);
  CHECK(must::to_string(must::KeyStatus::unknown) == std::string("unknown") &&
        must::to_string(static_cast<must::Route>(99)) == std::string("unknown"));
  CHECK((must::AccountFailure{"remote_failed", ""}.error_code() == MUST_REMOTE_FAILED));
  CHECK((must::AccountFailure{"of a later version", ""}.error_code() == MUST_INTERNAL));
}

static std::string dumped(const must::RequestFacts &facts) { return facts.to_json().dump(); }

static void facts() {
  const std::vector<std::pair<std::string, std::string>> headers{{"x-api-KEY", "one"},
                                                                 {"X-API-Key", "two"},
                                                                 {"cookie", "gg_session=s"},
                                                                 {"X-ADMIN-KEY", "a"},
                                                                 {"Origin", "https://studio.example"},
                                                                 {"X-Forwarded-For", "192.0.2.1"},
                                                                 {"x-request-id", ""},
                                                                 {"x-request-id", "r-1"},
                                                                 {"Accept", "*/*"}};
  const auto facts = must::RequestFacts::from_headers(must::Route::admin, headers,
                                                      "?api_key=&api_key=q%20k+%zz%4&&X-Admin-Key=x&=", "192.0.2.9");
  CHECK(dumped(facts) ==
        R"({"route":"admin","header_keys":["one","two"],"query_keys":["","q k %zz%4"],"cookies":["gg_session=s"],)"
        R"("admin_header_keys":["a"],"query_admin_key_present":true,"origin":"https://studio.example","peer":"192.0.2.9",)"
        R"("forwarded_for":["192.0.2.1"],"correlation_id":"r-1"})");
  const std::multimap<std::string_view, std::string_view> more{{"origin", "a"}, {"origin", "b"}, {"X-Api-Key", "\xff\xc3\xa9"}};
  const auto odd = must::RequestFacts::from_headers(must::Route::generation, more, "api_key=%ff&admin_key", "fe80::1%eth0");
  CHECK(odd.origin == "a, b" && odd.peer == "fe80::1" && odd.query_admin_key_present);
  CHECK(odd.header_keys.front().reveal() == "\xef\xbf\xbd\xc3\xa9" && odd.query_keys.front().reveal() == "\xef\xbf\xbd");
  for (const char *query : {"admin_key=", "ADMIN_API_KEY=x", "a=b&x-admin-key", "admin%5fkey=1", "Admin-Key=x"}) {
    CHECK(must::RequestFacts::from_headers(must::Route::admin, headers, query).query_admin_key_present);
  }
  const auto none = must::RequestFacts::from_headers(must::Route::admin, headers, "key=admin_key&API_KEY=x");
  CHECK(!none.query_admin_key_present && none.query_keys.empty());
  CHECK(dumped(must::RequestFacts::of(must::Route::auth)) ==
        R"({"route":"auth","header_keys":[],"query_keys":[],"cookies":[],"admin_header_keys":[],)"
        R"("query_admin_key_present":false,"forwarded_for":[]})");
}

static void secrets() {
  must::SecretText secret(canary);
  must::SecretText copy = secret;
  const must::SecretText moved = std::move(secret);
  copy = "other";
  CHECK(moved.reveal() == canary && copy.reveal() == "other" && must::SecretText().empty() && !moved.empty());
  CHECK(must::SecretText(std::string("a\0b", 3)).reveal().size() == 3);
}

void test_json(const std::string &) {
  reading_and_writing();
  values();
}

void test_values(const std::string &) {
  times_and_names();
  facts();
  secrets();
}
