//! Values that cannot be wrong, and the words for what was wrong with them. Depends on nothing of ours.

mod country;
pub mod fields;
pub mod hours;
pub mod issue;
pub mod phone;
pub mod query;
pub mod region;
mod region_table;
pub mod template;
pub mod variables;
pub mod webhook_url;
pub mod window;
pub mod zone;
mod zone_rule;
mod zone_table;

pub use country::Country;
pub use fields::{Fields, is_uuid};
pub use issue::{Issue, Rule, either};
pub use phone::{NotAPhone, Phone};
pub use template::{Rendered, WhenMissing, render};
pub use variables::Variables;
pub use webhook_url::{NotAWebhookUrl, WebhookUrl};
