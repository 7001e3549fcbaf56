import Linux

/// The public names of sessions.
package enum SessionIDs {
    private static let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)
    /// What a string holds without memory of its own.
    private static let length = 15
    /// Of one system call, which always gives as much as 256 bytes (getrandom(2)).
    private static let atOnce = 17

    /// Several ids, each of 90 random bits: a session id cannot be guessed, and never repeats.
    package static func make() -> [String] {
        let text = randomBytes(atOnce * length).map { digits[Int($0 & 63)] }
        return stride(from: 0, to: text.count, by: length).map { String(decoding: text[$0..<$0 + length], as: UTF8.self) }
    }

    static func randomBytes(_ count: Int) -> [UInt8] {
        do {
            return try Random.bytes(count)
        } catch {
            // The standard library's way to the same generator cannot fail; it takes a system call for each number.
            var generator = SystemRandomNumberGenerator()
            return (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }
        }
    }
}
