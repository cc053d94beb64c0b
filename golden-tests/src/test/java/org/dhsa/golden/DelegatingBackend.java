package org.dhsa.golden;

import org.dhsa.backend.ForwardingBackend;
import org.dhsa.reference.ReferenceBackend;

/// The reference with room for one broken stage.
class DelegatingBackend extends ForwardingBackend {

    DelegatingBackend() {
        super(new ReferenceBackend());
    }

    @Override
    public String name() {
        return "mutant";
    }
}
