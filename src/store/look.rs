//! One look at the store: at the sentinels first, if there are any, and then at what they guard.

use super::check::{check_lists, has_work};
use super::client::EndpointClient;
use super::sentinel::read_sentinels;
use super::walk::Walk;
use super::{Scope, Store};
use crate::error::Result;

/// What one look at an endpoint gave.
struct Look {
    /// The lists that were looked at; `None` if only sentinels were.
    covered: Option<Scope>,
    found: Option<Walk>,
}

impl Store {
    /// Asks what changed, all of it at one endpoint: first the sentinels, if there are any, and if one moved or nothing
    /// guards the settings, one conditional request per remembered page. `None` if nothing changed; otherwise a walk that
    /// shares unchanged pages with the known one.
    pub(crate) async fn check(&self, known: &Walk, scope: Scope) -> Result<Option<Walk>> {
        if !self.guards(scope) && !has_work(&self.selection, known, scope) {
            // No request, so nothing is learned of an endpoint either.
            return Ok(None);
        }
        let mut attempts = self.fleet.attempts(self.deadline);
        loop {
            let member = attempts.next()?;
            let work = Box::pin(self.look(&member.client, known, scope));
            if let Some(look) = attempts.at(&member, work).await? {
                self.shared.correlation.answered();
                return Ok(self.believed(known, look));
            }
        }
    }

    /// A change, unless it is an older replica's.
    fn believed(&self, known: &Walk, look: Look) -> Option<Walk> {
        let Look { covered, found } = look;
        let Some(new) = found else {
            covered.into_iter().for_each(|scope| self.lag.clear(scope));
            return None;
        };
        let believed = covered.is_none_or(|scope| self.lag.believes(known, &new, scope));
        believed.then(|| {
            self.shared.correlation.loaded(new.usage());
            new
        })
    }

    /// Sentinels stand before the settings, but not before the feature flags.
    fn guards(&self, scope: Scope) -> bool {
        !self.sentinels.is_empty() && scope != Scope::Flags
    }

    /// The signal and what it guards come from one endpoint: another one may not have the data yet of which the signal
    /// speaks. Both are committed together, so that neither is forgotten if the publication fails.
    async fn look(&self, client: &EndpointClient, known: &Walk, scope: Scope) -> Result<Look> {
        if !self.guards(scope) {
            let found = self.recheck(client, known, scope).await?;
            return Ok(Look {
                covered: Some(scope),
                found,
            });
        }
        let marks = read_sentinels(client, &self.sentinels, known.sentinels()).await?;
        let moved = marks != *known.sentinels();
        // A difference that is being waited out has to be looked at again.
        let covered = match scope {
            _ if moved || self.lag.waits() => Some(scope),
            Scope::Both => Some(Scope::Flags),
            _ => None,
        };
        let changed = match covered {
            Some(scope) => self.recheck(client, known, scope).await?,
            None => None,
        };
        let signalled = moved.then(|| known.clone());
        let found = changed.or(signalled);
        Ok(Look {
            covered,
            found: found.map(|walk| walk.with_sentinels(marks)),
        })
    }

    async fn recheck(
        &self,
        client: &EndpointClient,
        known: &Walk,
        scope: Scope,
    ) -> Result<Option<Walk>> {
        let (lists, changed) =
            check_lists(client, &self.selection, known, scope, self.limits).await?;
        if !changed {
            return Ok(None);
        }
        let marks = known.sentinels().clone();
        self.put_together(client, lists, marks).map(Some)
    }
}
