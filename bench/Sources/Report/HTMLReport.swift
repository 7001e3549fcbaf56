/// A run as one HTML page.
public enum HTMLReport {
    public static func page(_ run: Run) -> String { "" }
}
