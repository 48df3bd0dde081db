//! Members of the generated types that are written by hand, by the name of the type.

/// Methods in Python.
pub(super) const PYTHON: &[(&str, &str)] = &[
    (
        "RequestFacts",
        r#"
    @classmethod
    def from_headers(
        cls,
        route: Route,
        headers: Iterable[tuple[str, str]],
        query: str = "",
        peer: str | None = None,
    ) -> Self:
        """Read the header lines of a request, the raw text of its query, and the address it came from.

        >>> facts = must.RequestFacts.from_headers("generation", [("X-API-Key", "a key")], "page=2", "192.0.2.7")
        >>> facts.header_keys, facts.peer
        (('a key',), '192.0.2.7')
        >>> "a key" in repr(facts)
        False

        A header or query name that comes more than once must be given more than once: two different keys are refused.
        """
        return cls(route=route, **read_headers(headers, query, peer))
"#,
    ),
    (
        "LogLevel",
        r#"
    @property
    def number(self) -> int:
        """The matching level of `logging`. It is 5 for `trace`."""
        return {"error": 40, "warn": 30, "info": 20, "debug": 10, "trace": 5}[self.value]
"#,
    ),
    (
        "AuditEvent",
        r#"
    @property
    def time(self) -> datetime:
        """The time of the event, in UTC."""
        return datetime.fromisoformat(self.timestamp)
"#,
    ),
    (
        "Status",
        r#"
    @property
    def ended(self) -> bool:
        """Whether the task has ended."""
        return self in (Status.DONE, Status.FAILED)
"#,
    ),
    (
        "TaskFailure",
        r#"
    def exception(self) -> MustError:
        """The exception for the code."""
        return error_from(self.code, self.detail)
"#,
    ),
    (
        "TaskState",
        r#"
    @property
    def ended(self) -> bool:
        """Whether the task has ended."""
        return self.status.ended

    def raise_for_failure(self) -> Self:
        """Return this state, or raise the task's own error when it failed.

        >>> task = platform.submit("tiny-image", "a red circle", steps=4)
        >>> task.wait(raise_on_failure=False).raise_for_failure().error is None
        True

        Raises:
            MustError: The class for the task's error code, such as `must.CancelledError`.
        """
        if self.error is not None:
            raise self.error.exception()
        return self
"#,
    ),
    (
        "TaskPage",
        r#"
    def __iter__(self) -> Iterator[TaskState]:
        """The tasks of this page.

        >>> task = platform.submit("tiny-image", "a red circle", steps=4)
        >>> state = task.wait()
        >>> [state.prompt for state in platform.gallery()]
        ['a red circle']
        """
        return iter(self.items)

    def __len__(self) -> int:
        """The number of tasks on this page."""
        return len(self.items)
"#,
    ),
    (
        "AuditPage",
        r#"
    def __iter__(self) -> Iterator[AuditEvent]:
        """The events."""
        return iter(self.logs)

    def __len__(self) -> int:
        """The number of events on this page."""
        return len(self.logs)
"#,
    ),
];

/// Members in C++.
pub(super) const CPP: &[(&str, &str)] = &[
    (
        "LogRecord",
        r"
  /// The whole record as one line of JSON.
  std::string json{};
",
    ),
    (
        "RequestFacts",
        r"
  /// The facts of a request for a route, to be filled in.
  [[nodiscard]] static RequestFacts of(Route route) {
    RequestFacts facts;
    facts.route = route;
    return facts;
  }

  /// Reads the header lines of a request (anything that gives pairs of names and values, such as a vector or a multimap), the
  /// raw text of its query, and the address at the other end. A header that came more than once must be given more than once.
  /// Text that is not UTF-8 is repaired. It then matches no key.
  template <typename Headers>
  [[nodiscard]] static RequestFacts from_headers(Route route, const Headers &headers, std::string_view query = {},
                                                 const std::optional<std::string> &peer = std::nullopt) {
    RequestFacts facts = of(route);
    detail::read_headers(facts, headers);
    detail::read_query(facts, query);
    // A link-local address ends with its zone, which has no meaning here.
    if (peer) facts.peer = peer->substr(0, peer->find('%'));
    return facts;
  }
",
    ),
    (
        "TaskFailure",
        r"
  /// The code to branch on. It is `MUST_INTERNAL` if the library does not know the name.
  [[nodiscard]] ErrorCode error_code() const noexcept { return detail::code_from(code); }
",
    ),
    (
        "TaskState",
        r"
  /// Whether the task has ended.
  [[nodiscard]] bool ended() const noexcept { return status == TaskStatus::done || status == TaskStatus::failed; }
  /// The code of its error; `MUST_OK` if it did not fail.
  [[nodiscard]] ErrorCode error_code() const noexcept { return error ? error->error_code() : static_cast<ErrorCode>(MUST_OK); }
",
    ),
    (
        "TaskPage",
        r"
  /// The tasks of this page.
  [[nodiscard]] auto begin() const noexcept { return items.begin(); }
  /// The end of the tasks.
  [[nodiscard]] auto end() const noexcept { return items.end(); }
  /// The number of tasks on this page.
  [[nodiscard]] std::size_t size() const noexcept { return items.size(); }
",
    ),
    (
        "AccountFailure",
        r"
  /// The code to branch on. It is `MUST_INTERNAL` if the library does not know the name.
  [[nodiscard]] ErrorCode error_code() const noexcept { return detail::code_from(code); }
",
    ),
    (
        "AuditEvent",
        r"
  /// The time of the event.
  [[nodiscard]] Time time() const { return detail::time_from(timestamp); }
",
    ),
    (
        "AuditPage",
        r"
  /// The events, newest first.
  [[nodiscard]] auto begin() const noexcept { return logs.begin(); }
  /// The end of the events.
  [[nodiscard]] auto end() const noexcept { return logs.end(); }
  /// The number of events on this page.
  [[nodiscard]] std::size_t size() const noexcept { return logs.size(); }
",
    ),
];
