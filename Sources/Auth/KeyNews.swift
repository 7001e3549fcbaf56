/// A message from the key source to the token verifiers.
public enum KeyNews: Equatable, Sendable {
    /// These count from now on. Told again unchanged when a question for an unknown key has been answered.
    case keys(KeySet)
    /// There is no such key, and it is not worth waiting for one.
    case absent(String?)
}
