"""Fisher's direction against scikit-learn's covariances and discriminant, and its textbook form."""

import numpy as np
import pytest
import torch
from sklearn import covariance
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from lib.errors import UnknownName
from lib.methods.fisher import fisher_direction

SIZES = [(3, 12), (11, 12), (12, 12), (13, 12), (60, 12)]  # n, K


def features(n: int, K: int, seed: int = 0) -> torch.Tensor:
    """Correlated features far from zero, as pooled activations are."""
    generator = torch.Generator().manual_seed(seed)
    mixing = torch.randn(K, K, generator=generator, dtype=torch.float64)
    return torch.randn(n, K, generator=generator, dtype=torch.float64) @ mixing + 5


def all_of(z, R) -> torch.Tensor:
    return torch.ones(len(z), len(R), dtype=torch.bool)


def textbook(z, R, S) -> torch.Tensor:
    """m S^-1 (z - mu) for each image, with the explicit inverse."""
    S, mean = torch.as_tensor(S), R.mean(0)
    inverse = torch.linalg.inv(S)
    return torch.stack([S.trace() / len(S) * inverse @ (one - mean) for one in z])


@pytest.mark.parametrize("n, K", SIZES)
@pytest.mark.parametrize("name", ["ledoit_wolf", "oas"])
def test_both_forms_are_the_textbook_solve_with_scikit_learns_covariance(name, n, K):
    R, z = features(n, K), features(5, K, seed=1)
    S, _ = getattr(covariance, name)(R.numpy())
    w = fisher_direction(z, R, all_of(z, R), name)
    assert torch.allclose(w, textbook(z, R, S), rtol=1e-9)


@pytest.mark.parametrize("n, K", SIZES)
@pytest.mark.parametrize("delta", [0.01, 0.5, 0.99])
def test_a_number_is_a_ridge(delta, n, K):
    R, z = features(n, K), features(5, K, seed=1)
    S = torch.from_numpy(np.cov(R.numpy().T, bias=True))
    ridge = S + delta / (1 - delta) * S.trace() / K * torch.eye(K, dtype=torch.float64)
    want = textbook(z, R, ridge)
    w = fisher_direction(z, R, all_of(z, R), delta)
    assert torch.allclose(w / w.norm(dim=1, keepdim=True), want / want.norm(dim=1, keepdim=True))


def test_full_shrinkage_is_the_difference_of_means():
    R, z = features(7, 12), features(5, 12, seed=1)
    assert torch.allclose(fisher_direction(z, R, all_of(z, R), 1), z - R.mean(0))


@pytest.mark.parametrize("R", [features(1, 12), features(1, 12).expand(4, 12)])
@pytest.mark.parametrize("shrinkage", ["ledoit_wolf", "oas", 0, 0.3])
def test_equal_references_leave_the_difference_of_means(R, shrinkage):
    z = features(5, 12, seed=1)
    assert torch.allclose(fisher_direction(z, R, all_of(z, R), shrinkage), z - R[0])


def test_without_shrinkage_few_references_leave_what_they_do_not_span():
    """The limit is the part of z - mu that is orthogonal to all differences of references."""
    R, z = features(4, 12), features(5, 12, seed=1)
    w = fisher_direction(z, R, all_of(z, R), 0)
    V = R - R.mean(0)
    d = z - R.mean(0)
    rest = d - d @ torch.linalg.pinv(V) @ V
    assert torch.allclose(
        w / w.norm(dim=1, keepdim=True), rest / rest.norm(dim=1, keepdim=True), atol=1e-6
    )


def test_without_shrinkage_it_is_scikit_learns_discriminant():
    """Two classes have the same scatter, so their pooled covariance is S_v itself."""
    R = features(200, 6)
    z = features(1, 6, seed=3)
    classes = np.r_[np.zeros(200), np.ones(200)]
    both = np.r_[R.numpy(), (R - R.mean(0) + z).numpy()]  # around z as the references around mu
    lda = LinearDiscriminantAnalysis(solver="eigen", n_components=1).fit(both, classes)
    want = torch.from_numpy(lda.scalings_[:, 0])
    (w,) = fisher_direction(z, R, all_of(z, R), 0)
    cosine = torch.nn.functional.cosine_similarity(w, want, dim=0).abs()
    assert cosine == pytest.approx(1, abs=1e-10)


def test_each_image_has_its_own_references_whatever_the_others_have():
    R, z = features(20, 12), features(4, 12, seed=1)
    generator = torch.Generator().manual_seed(0)
    among = torch.rand(4, 20, generator=generator) < torch.tensor([[0.2], [0.9], [0.5], [0.4]])
    together = fisher_direction(z, R, among)
    for i in range(4):
        alone = fisher_direction(z[i : i + 1], R[among[i]], all_of(z[:1], R[among[i]]))
        assert torch.allclose(together[i], alone[0], rtol=1e-9)


def test_chunks_change_nothing(monkeypatch):
    R, z = features(9, 12), features(6, 12, seed=1)
    want = fisher_direction(z, R, all_of(z, R))
    monkeypatch.setattr("lib.methods.fisher._CHUNK", 2 * 9 * 12)
    assert torch.allclose(fisher_direction(z, R, all_of(z, R)), want, rtol=1e-12)


def test_dead_channels_change_nothing():
    R, z = features(9, 12), features(3, 12, seed=1)
    dead = torch.nn.functional.pad
    w = fisher_direction(dead(z, (0, 5)), dead(R, (0, 5)), all_of(z, R))
    assert torch.allclose(w[:, :12], fisher_direction(z, R, all_of(z, R)))
    assert not w[:, 12:].any()


def test_scale_changes_nothing_but_the_length():
    R, z = features(9, 12), features(3, 12, seed=1)
    w = fisher_direction(z, R, all_of(z, R))
    assert torch.allclose(fisher_direction(100 * z, 100 * R, all_of(z, R)), 100 * w)


@pytest.mark.parametrize("shrinkage", [-0.1, 1.5])
def test_a_strength_lies_between_zero_and_one(shrinkage):
    R = features(9, 12)
    with pytest.raises(ValueError, match=r"shrinkage is a name or a number in \[0, 1\], got"):
        fisher_direction(R, R, all_of(R, R), shrinkage)


def test_an_unknown_shrinkage_lists_those_there_are():
    R = features(9, 12)
    with pytest.raises(UnknownName, match="'ledoit' .*ledoit_wolf.*oas"):
        fisher_direction(R, R, all_of(R, R), "ledoit")
