/// What a hub may have beside the first version of the protocol. The reply to `connect` lists the names; `connect` may require some.
public enum Feature: String, CaseIterable, Sendable {
    case notifications, messages, signals, receipts
    /// `tail` in `subscribe` and `connect`.
    case tail
    /// `totals` in the reply to `connect`, and `counters` without channels.
    case totals
    /// `activity` pushes of conversations that are not followed.
    case activity
    /// `edit` and `delete`, and entries of the kinds `change` and `retraction`.
    case changes
    /// `block`, `unblock` and `blocks`, and entries of the kind `hidden`.
    case blocks
    /// `POST /v1/ticket`, and `ticket` in `connect` and `refresh`.
    case tickets
    /// `why`.
    case why
    /// `control` pushes and `switched`: an operator may switch features off.
    case switches
    /// `presence`; only where the operator has switched it on.
    case presence
}
