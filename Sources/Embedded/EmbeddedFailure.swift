import Linux

/// The reason why the embedded services did not start. The description tells the operator the remedy.
package enum EmbeddedFailure: Error, Equatable, Sendable, CustomStringConvertible {
    /// Another hub runs in the folder.
    case inUse(folder: String, process: String)
    /// The path of the folder belongs to a file of another kind.
    case notAFolder(String)
    case postgresMissing(version: String?)
    case accountMissing
    /// A step of the start failed; `reason` is the message of the program or the system.
    case failed(step: String, reason: String)

    package var description: String {
        switch self {
        case .inUse(let folder, let process):
            "\(folder) is in use by the hub of process \(process); stop it, or give this one a folder of its own with --data"
        case .notAFolder(let path): "\(path) is not a folder; name one with --data, it is made when it is missing"
        case .postgresMissing(nil):
            "PostgreSQL's server programs (initdb, postgres) were not found; install them, for example with: apt-get install postgresql"
        case .postgresMissing(let version?):
            "the data was made by PostgreSQL \(version), whose server programs are not installed (apt-get install postgresql-\(version))"
        case .accountMissing:
            "PostgreSQL does not run as root and there is no account named postgres; install the package postgresql, or run the hub as another user"
        case .failed(let step, let reason): "\(step): \(reason)"
        }
    }

    /// Runs `body` and adds the name of the step to its error.
    static func during<Value>(_ step: String, _ body: () throws(SystemError) -> Value) throws(EmbeddedFailure) -> Value {
        do throws(SystemError) {
            return try body()
        } catch {
            throw .failed(step: step, reason: "\(error)")
        }
    }
}
