import Messaging

extension EndReason {
    /// The code of the close frame: the protocol's own number, from the range that RFC 6455 §7.4.2 leaves to applications.
    var closeCode: UInt16 { code }
}
