import Foundation

extension FuzzBody {
    /// The committed inputs, oldest finds and all.
    public func corpus(besides file: String = #filePath) throws -> [[UInt8]] {
        let root = URL(filePath: file).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        let folder = root.appending(path: "Fixtures/fuzz/\(rawValue)")
        return try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
            .sorted { $0.path < $1.path }
            .map { try [UInt8](Data(contentsOf: $0)) }
    }
}
