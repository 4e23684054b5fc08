"""The paper's section V.D, link by link: does sensitivity become snr, and why?

``links`` measures the chain as it stands; ``example_fisher`` holds h against the gradients of
single examples; ``equilibrium``, by the closed forms of ``hessian_law``, tells curvature from the
optimizer's own correction; ``decomposition`` splits snr into magnitude and width; ``identities``
checks what is exact. ``docs/theory.md`` has the derivations.
"""
