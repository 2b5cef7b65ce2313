//! A real browser, without a window, that scripts of `tests/pages` drive.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};

use crate::npm::Packages;

/// Unpacks the browser that a package carries, with the libraries that it needs, and prints where they are.
const UNPACK: &str = "
import('@sparticuz/chromium').then(async ({ default: chromium, inflate }) => {
  const libraries = await inflate('node_modules/@sparticuz/chromium/bin/al2023.tar.br');
  console.log(JSON.stringify({ program: await chromium.executablePath(), libraries: `${libraries}/lib` }));
});";

/// Says where the fonts are.
const FONT_SETTINGS: &str = "fonts.conf";

/// Points fontconfig at the fonts that the package brings, because the package's own settings look where Lambda has them.
/// Without fonts Chromium can't place the caret in a field, and each letter typed replaces the one before.
fn write_font_settings(root: &Path) -> anyhow::Result<()> {
    let root_folder = root.display();
    let settings = format!(
        "<?xml version=\"1.0\"?><!DOCTYPE fontconfig SYSTEM \"fonts.dtd\">\
         <fontconfig><dir>{root_folder}/fonts</dir><cachedir>{root_folder}/fonts-cache</cachedir></fontconfig>\n"
    );
    let file = root.join(FONT_SETTINGS);
    // Tests that run at once share it.
    if std::fs::read_to_string(&file).is_ok_and(|known| known == settings) {
        return Ok(());
    }
    std::fs::write(file, settings).context("writing where the fonts are")
}

/// Chromium's shell without windows, and what drives it.
pub struct Browser {
    packages: Packages,
    program: String,
    libraries: String,
}

impl Browser {
    /// `None`, and said on standard error, where this machine has no `npm`, or is none that the packaged browser runs
    /// on.
    pub fn packaged() -> anyhow::Result<Option<Self>> {
        if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
            eprintln!("skipped: the packaged browser runs on Linux on x86-64 alone");
            return Ok(None);
        }
        let Some(packages) = Packages::of_group("browser")? else { return Ok(None) };
        let printed = packages.printed_beside(UNPACK)?;
        let unpacked: serde_json::Value =
            serde_json::from_slice(&printed).context("where the browser is, as JSON")?;
        let told = |name: &str| unpacked[name].as_str().map(str::to_owned).context("where it is");
        write_font_settings(packages.root())?;
        Ok(Some(Self { program: told("program")?, libraries: told("libraries")?, packages }))
    }

    /// Runs a script of `tests/pages` in a folder, with arguments. It fails by throwing.
    pub fn drive(&self, script: &str, folder: &Path, arguments: &[&str]) -> anyhow::Result<()> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("pages").join(script);
        let output = Command::new("node")
            .arg(script)
            .args(arguments)
            .current_dir(folder)
            .env("PACKAGES", self.packages.root())
            .env("BROWSER", &self.program)
            .env("LD_LIBRARY_PATH", &self.libraries)
            .env("FONTCONFIG_FILE", self.packages.root().join(FONT_SETTINGS))
            .stdin(Stdio::null())
            .output()
            .context("starting node")?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{}\n{said}", String::from_utf8_lossy(&output.stdout));
        Ok(())
    }
}
