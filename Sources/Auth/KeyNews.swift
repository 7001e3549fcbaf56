/// A message from the key source to the token verifiers.
public enum KeyNews: Equatable, Sendable {
    /// These count from now on, and a key that is not among them is withdrawn. Told again unchanged when a question for an unknown key has
    /// been answered.
    ///
    /// - Parameter asOf: when their fetch began, by the monotonic clock. A key that is not among them may have been made since.
    case keys(KeySet, asOf: Duration)
    /// No token is accepted until there are new keys: the old ones could not be refreshed for too long. None of them is withdrawn.
    case tooOld
}
