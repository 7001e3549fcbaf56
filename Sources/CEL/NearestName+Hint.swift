internal import Bytes

extension NearestName {
    /// `: did you mean 'status'?`, or nothing.
    static func hint(for written: String, among names: [String]) -> String {
        suggestion(for: written, among: names).map { ": did you mean '\($0)'?" } ?? ""
    }
}
