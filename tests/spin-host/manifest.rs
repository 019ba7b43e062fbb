//! What `spin.toml` says: routes, components and their grants, with the variables filled in.

use crate::allowed::AllowedHosts;
use crate::route::Route;
use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

/// The application, ready to be served.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) name: String,
    pub(crate) version: String,
    /// Each route and the name of the component that answers it.
    pub(crate) routes: Vec<(Route, String)>,
    pub(crate) components: BTreeMap<String, Component>,
}

/// One component and what it is granted.
#[derive(Debug)]
pub(crate) struct Component {
    pub(crate) source: PathBuf,
    pub(crate) variables: HashMap<String, String>,
    pub(crate) stores: Vec<String>,
    pub(crate) hosts: AllowedHosts,
}

#[derive(Deserialize)]
struct Manifest {
    spin_manifest_version: u32,
    application: Application,
    #[serde(default)]
    variables: BTreeMap<String, Variable>,
    trigger: Triggers,
    component: BTreeMap<String, Granted>,
}

#[derive(Deserialize)]
struct Application {
    name: String,
    #[serde(default)]
    version: String,
}

#[derive(Deserialize)]
struct Variable {
    default: Option<String>,
    #[serde(default)]
    required: bool,
}

#[derive(Deserialize)]
struct Triggers {
    http: Vec<Trigger>,
}

#[derive(Deserialize)]
struct Trigger {
    route: String,
    component: String,
}

#[derive(Deserialize)]
struct Granted {
    source: PathBuf,
    #[serde(default)]
    variables: BTreeMap<String, String>,
    #[serde(default)]
    key_value_stores: Vec<String>,
    #[serde(default)]
    allowed_outbound_hosts: Vec<String>,
}

impl App {
    /// Reads the manifest. `given` are the values from the command line, `look_up` asks the environment.
    pub(crate) fn read(
        path: &Path,
        given: &HashMap<String, String>,
        look_up: impl Fn(&str) -> Option<String>,
    ) -> Result<App> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("{} cannot be read", path.display()))?;
        let folder = path.parent().unwrap_or(Path::new("."));
        App::parse(&text, folder, given, look_up)
            .with_context(|| format!("{} does not hold", path.display()))
    }

    fn parse(
        text: &str,
        folder: &Path,
        given: &HashMap<String, String>,
        look_up: impl Fn(&str) -> Option<String>,
    ) -> Result<App> {
        let manifest: Manifest = toml::from_str(text)?;
        ensure!(
            manifest.spin_manifest_version == 2,
            "only manifest version 2 is understood"
        );
        let values = values(&manifest.variables, given, look_up)?;
        let mut components = BTreeMap::new();
        for (name, granted) in manifest.component {
            let component = granted
                .resolve(folder, &values)
                .with_context(|| format!("component {name}"))?;
            components.insert(name, component);
        }
        let mut routes = Vec::new();
        for trigger in manifest.trigger.http {
            ensure!(
                components.contains_key(&trigger.component),
                "route {} names the unknown component {}",
                trigger.route,
                trigger.component
            );
            routes.push((Route::parse(&trigger.route), trigger.component));
        }
        Ok(App {
            name: manifest.application.name,
            version: manifest.application.version,
            routes,
            components,
        })
    }
}

/// The application's variables: the command line first, then `SPIN_VARIABLE_…`, then the manifest's defaults.
fn values(
    declared: &BTreeMap<String, Variable>,
    given: &HashMap<String, String>,
    look_up: impl Fn(&str) -> Option<String>,
) -> Result<HashMap<String, String>> {
    let mut values = HashMap::new();
    let mut missing = Vec::new();
    for (name, variable) in declared {
        let value = given
            .get(name)
            .cloned()
            .or_else(|| look_up(&format!("SPIN_VARIABLE_{}", name.to_uppercase())))
            .or_else(|| variable.default.clone());
        match value {
            Some(value) => {
                values.insert(name.clone(), value);
            }
            None if variable.required => missing.push(name.as_str()),
            None => bail!("variable {name} is neither required nor has a default"),
        }
    }
    ensure!(
        missing.is_empty(),
        "required variables are not set: {}",
        missing.join(", ")
    );
    Ok(values)
}

impl Granted {
    fn resolve(self, folder: &Path, values: &HashMap<String, String>) -> Result<Component> {
        let mut variables = HashMap::new();
        for (name, template) in &self.variables {
            variables.insert(name.clone(), fill(template, values)?);
        }
        let hosts = self
            .allowed_outbound_hosts
            .iter()
            .map(|template| fill(template, values))
            .collect::<Result<Vec<_>>>()?;
        Ok(Component {
            source: folder.join(self.source),
            variables,
            stores: self.key_value_stores,
            hosts: AllowedHosts::parse(&hosts)?,
        })
    }
}

/// Puts the values into `{{ name }}` places.
fn fill(template: &str, values: &HashMap<String, String>) -> Result<String> {
    let mut filled = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        let (name, after) = after
            .split_once("}}")
            .with_context(|| format!("unclosed {{{{ in {template:?}"))?;
        let name = name.trim();
        let value = values
            .get(name)
            .with_context(|| format!("no variable {name}"))?;
        filled.push_str(before);
        filled.push_str(value);
        rest = after;
    }
    filled.push_str(rest);
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"
        spin_manifest_version = 2
        [application]
        name = "ringdown"
        version = "1"
        [variables]
        key = { required = true, secret = true }
        host = { default = "" }
        [[trigger.http]]
        route = "/..."
        component = "all"
        [component.all]
        source = "a.wasm"
        key_value_stores = ["default"]
        allowed_outbound_hosts = ["https://{{ host }}", "https://api.twilio.com"]
        [component.all.variables]
        secret = "<{{ key }}>"
        [component.all.build]
        command = "cargo build"
    "#;

    fn given(values: &[(&str, &str)]) -> HashMap<String, String> {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        values.iter().map(owned).collect()
    }

    #[test]
    fn fills_in_variables_by_rank() {
        let environment =
            |name: &str| (name == "SPIN_VARIABLE_KEY").then(|| "from outside".to_owned());
        let app = App::parse(TEXT, Path::new("/app"), &given(&[]), environment).unwrap();
        assert_eq!(app.components["all"].variables["secret"], "<from outside>");
        assert_eq!(app.components["all"].source, Path::new("/app/a.wasm"));
        let app = App::parse(TEXT, Path::new(""), &given(&[("key", "k")]), environment).unwrap();
        assert_eq!(app.components["all"].variables["secret"], "<k>");
    }

    #[test]
    fn refuses_what_is_missing() {
        let error = App::parse(TEXT, Path::new(""), &given(&[]), |_| None).unwrap_err();
        assert!(format!("{error:#}").contains("key"));
        let wrong = TEXT.replace("component = \"all\"", "component = \"none\"");
        assert!(App::parse(&wrong, Path::new(""), &given(&[("key", "k")]), |_| None).is_err());
    }
}
