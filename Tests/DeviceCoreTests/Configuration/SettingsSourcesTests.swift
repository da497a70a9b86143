import DeviceCore
import Testing

@Suite struct SettingsSourcesTests {
    private static let flags: [FlagDescription] = [
        .list("broker"), .option("listen"), .flag("lan"), .list("led", separator: ";"), .option("on-exit"),
        .option("config"),
    ]

    /// What the parser gets; files are given by their content.
    private func arguments(
        _ commandLine: [String] = [], _ environment: [String: String] = [:], files: [String: String] = [:],
        ignoring: Set<String> = []
    ) throws(DeviceError) -> [String] {
        try SettingsSources.arguments(
            commandLine: commandLine, environment: environment, flags: Self.flags, ignoring: ignoring
        ) { path throws(DeviceError) in
            guard let text = files[path] else { throw DeviceError(.notFound, "cannot read \(path)") }
            return Array(text.utf8)
        }
    }

    /// The error as the user sees it.
    private func failure(
        _ commandLine: [String] = [], _ environment: [String: String] = [:], files: [String: String] = [:]
    ) -> String {
        do throws(DeviceError) { return "no error: \(try arguments(commandLine, environment, files: files))" } catch {
            #expect(error.exitStatus == 78)
            return error.description
        }
    }

    @Test func withoutSourcesTheCommandLineIsAsItWas() throws {
        #expect(try arguments() == [])
        #expect(
            try arguments(["--lan", "x", "--", "--y"], ["HOME": "/", "LISTEN": "x"]) == ["--lan", "x", "--", "--y"])
    }

    @Test func variablesComeBeforeTheCommandLine() throws {
        let environment = [
            "DEVICE_LISTEN": "127.0.0.1:1", "DEVICE_BROKER": "smq://a, smq://b,", "DEVICE_LAN": "true",
            "DEVICE_LED": "name=Red,line=GPIO17;name=Blue,line=pin11", "DEVICE_ON_EXIT": "-x=y",
        ]
        #expect(
            try arguments(["--verbose"], environment) == [
                "--broker=smq://a", "--broker=smq://b", "--listen=127.0.0.1:1", "--lan",
                "--led=name=Red,line=GPIO17", "--led=name=Blue,line=pin11", "--on-exit=-x=y", "--verbose",
            ])
        #expect(try arguments([], ["DEVICE_LAN": "false", "DEVICE_LISTEN": ""]) == [])
    }

    @Test func aFileComesBeforeTheCommandLine() throws {
        let file = """
            {   // A comment.
                "listen": "127.0.0.1:1", "broker": ["smq://a", "smq://b"], "lan": true, "on-exit": 5,
                "led": [{"name": "Red", "line": "GPIO17", "active-low": true, "pull": false, "x": null}, "name=Blue"]
            }
            """
        let expected = [
            "--broker=smq://a", "--broker=smq://b", "--listen=127.0.0.1:1", "--lan",
            "--led=name=Red,line=GPIO17,active-low", "--led=name=Blue", "--on-exit=5",
        ]
        #expect(try arguments(["--config", "f"], files: ["f": file]) == expected + ["--config", "f"])
        #expect(try arguments(["--config=f"], files: ["f": file]) == expected + ["--config=f"])
        #expect(try arguments([], ["DEVICE_CONFIG": "f"], files: ["f": file]) == expected)
        let several = #"{"led": {"name": ["a", 4, "*.b"]}}"#
        #expect(try arguments([], ["DEVICE_CONFIG": "f"], files: ["f": several]) == ["--led=name=a+4+*.b"])
        let one = #"{"broker": "smq://a", "led": {"name": "Red"}, "lan": false, "listen": null}"#
        #expect(
            try arguments([], ["DEVICE_CONFIG": "f"], files: ["f": one]) == ["--broker=smq://a", "--led=name=Red"])
    }

    @Test func eachSourceHidesTheOnesBelowFlagByFlag() throws {
        let file = #"{"listen": "file", "broker": ["f1", "f2"], "lan": true, "on-exit": "file"}"#
        let environment = ["DEVICE_CONFIG": "f", "DEVICE_LISTEN": "env", "DEVICE_BROKER": "e", "DEVICE_LAN": "false"]
        #expect(
            try arguments(["--broker", "c", "--listen=c"], environment, files: ["f": file]) == [
                "--on-exit=file", "--broker", "c", "--listen=c",
            ])
        #expect(try arguments([], environment, files: ["f": file]) == ["--broker=e", "--listen=env", "--on-exit=file"])
        // After -- nothing is a flag; the file of the command line hides that of the environment.
        #expect(
            try arguments(["--config", "g", "--", "--lan"], environment, files: ["g": #"{"on-exit": "g"}"#]) == [
                "--broker=e", "--listen=env", "--on-exit=g", "--config", "g", "--", "--lan",
            ])
        #expect(try arguments(["--config=f", "--config=g"], files: ["g": "{}"]) == ["--config=f", "--config=g"])
    }

    @Test func helpWorksWhateverIsWrongElsewhere() throws {
        for help in ["--help", "-h", "--version"] {
            #expect(try arguments([help, "--config", "missing"], ["DEVICE_X": "y"]) == [help, "--config", "missing"])
        }
    }

    @Test func unknownNamesAreErrorsThatSuggestTheNearest() {
        #expect(
            failure([], ["DEVICE_LISTN": "x"])
                == "environment variable DEVICE_LISTN is no setting of this program. Perhaps DEVICE_LISTEN is meant.")
        #expect(failure([], ["DEVICE_FREQUENCY": "x"]).hasSuffix("Unset it; --help lists the settings."))
        #expect(
            failure(["--config", "f"], files: ["f": #"{"brokers": []}"#])
                == #"f: "brokers" is no setting of this program. Perhaps "broker" is meant."#)
        #expect(failure(["--config", "f"], files: ["f": #"{"config": "g"}"#]).contains("is no setting"))
    }

    @Test func variablesOfOtherProgramsCanBeIgnored() throws {
        #expect(try arguments([], ["DEVICE_ROOT": "x"], ignoring: ["DEVICE_ROOT"]) == [])
    }

    @Test func wrongValuesNameTheirPlace() {
        #expect(
            failure([], ["DEVICE_LAN": "yes"])
                == #"environment variable DEVICE_LAN is "yes". Set it to true or false."#)
        #expect(
            failure([], ["DEVICE_CONFIG": "f"]) == "cannot read f. Check --config or DEVICE_CONFIG.")
        let inFile = { failure(["--config", "f"], files: ["f": $0]) }
        #expect(inFile("[1]").hasPrefix("f holds an array. Write an object"))
        #expect(inFile("{\n\"lan\": yes}") == "f:2:8: yes is no JSON value. Put text into double quotes.")
        #expect(inFile(#"{"lan": 1}"#) == #"f: "lan" cannot be a whole number. Write true or false."#)
        #expect(inFile(#"{"listen": ["a"]}"#) == #"f: "listen" cannot be an array. Write a string."#)
        #expect(inFile(#"{"listen": true}"#) == #"f: "listen" cannot be true or false. Write a string."#)
        #expect(inFile(#"{"broker": [[1]]}"#) == #"f: "broker" cannot be an array. Write an array of strings."#)
        #expect(
            inFile(#"{"led": {"a": ["b+c"]}}"#) == #"f: "led" cannot be a string. Write strings without a plus for a."#)
        #expect(inFile(#"{"led": {"a": []}}"#) == #"f: "led" cannot be an array. Write a string for a."#)
        #expect(inFile(#"{"led": {"name": "a,b"}}"#) == #"f: name of "led" cannot hold a comma."#)
        // Also where something else hides the mistake.
        #expect(
            failure(["--config", "f"], ["DEVICE_LISTEN": "x"], files: ["f": #"{"listen": []}"#]).contains("an array"))
    }

    @Test func aMissingValueIsLeftToTheParser() throws {
        #expect(try arguments(["--config"]) == ["--config"])
        #expect(try arguments(["--config", "--lan"]) == ["--config", "--lan"])
        #expect(try arguments(["--config="], ["DEVICE_CONFIG": "f"]) == ["--config="])
    }
}
