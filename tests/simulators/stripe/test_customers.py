"""Customers, and what holds for every family: parameters, lists, expansion."""

import pytest
import stripe


def pairs_of(customer: stripe.Customer) -> dict[str, str]:
    pairs: dict[str, str] = customer.to_dict()["metadata"]
    return pairs


def test_a_customer_is_made_looked_up_changed_and_deleted(client: stripe.StripeClient) -> None:
    made = client.v1.customers.create(
        {
            "email": "ada@example.com",
            "name": "Ada",
            "metadata": {"account": "acct_1", "tier": "pro"},
            "address": {"city": "Lyon", "country": "FR"},
        }
    )
    assert made.id.startswith("cus_")
    assert client.v1.customers.retrieve(made.id).name == "Ada"
    changed = client.v1.customers.update(
        made.id, {"metadata": {"tier": "", "seats": "3"}, "description": "", "phone": "1"}
    )
    assert pairs_of(changed) == {"account": "acct_1", "seats": "3"}
    assert changed.phone == "1"
    assert client.v1.customers.delete(made.id).deleted
    assert client.v1.customers.retrieve(made.id).deleted
    with pytest.raises(stripe.InvalidRequestError, match="No such customer"):
        client.v1.customers.update(made.id, {"name": "B"})


def test_all_metadata_can_be_unset_at_once(client: stripe.StripeClient) -> None:
    made = client.v1.customers.create({"metadata": {"a": "1"}})
    assert pairs_of(client.v1.customers.update(made.id, {"metadata": ""})) == {}


def test_metadata_has_stripes_limits(client: stripe.StripeClient) -> None:
    for pairs in ({"k" * 41: "v"}, {"k": "v" * 501}, {f"k{n}": "v" for n in range(51)}):
        with pytest.raises(stripe.InvalidRequestError):
            client.v1.customers.create({"metadata": pairs})
    fine = {f"{n:040}": "v" * 500 for n in range(50)}
    assert pairs_of(client.v1.customers.create({"metadata": fine})) == fine


def test_customers_are_listed_newest_first_a_page_at_a_time(client: stripe.StripeClient) -> None:
    made = [client.v1.customers.create({"email": f"{n}@example.com"}).id for n in range(5)]
    first = client.v1.customers.list({"limit": 2})
    assert [c.id for c in first.data] == made[:2:-1]
    assert first.has_more
    after = client.v1.customers.list({"limit": 2, "starting_after": made[3]})
    assert [c.id for c in after.data] == [made[2], made[1]]
    assert after.has_more
    before = client.v1.customers.list({"limit": 2, "ending_before": made[1]})
    assert [c.id for c in before.data] == [made[3], made[2]]
    assert before.has_more
    assert not client.v1.customers.list({"ending_before": made[1]}).has_more
    assert [c.id for c in client.v1.customers.list({"limit": 2}).auto_paging_iter()] == made[::-1]


def test_customers_are_found_by_email_and_by_time(client: stripe.StripeClient) -> None:
    one = client.v1.customers.create({"email": "one@example.com"})
    client.v1.customers.create({"email": "two@example.com"})
    found = client.v1.customers.list({"email": "one@example.com"})
    assert [c.id for c in found.data] == [one.id]
    at = one.created
    assert len(client.v1.customers.list({"created": {"gte": at}}).data) == 2
    assert client.v1.customers.list({"created": {"lt": at}}).data == []
    assert client.v1.customers.list({"created": {"gt": at + 60}}).data == []
    assert len(client.v1.customers.list({"created": at}).data) >= 1


@pytest.mark.parametrize(
    ("params", "param"),
    [
        ({"limit": 0}, "limit"),
        ({"limit": 101}, "limit"),
        ({"starting_after": "cus_none"}, "starting_after"),
        ({"created": {"near": 1}}, "created[near]"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_list_refuses_what_it_can_not_take(
    client: stripe.StripeClient, params: stripe.params.CustomerListParams, param: str
) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.customers.list(params)
    assert refused.value.http_status == 400
    assert refused.value.param == param


def test_an_unknown_parameter_is_named(client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.raw_request("post", "/v1/customers", invoice_settings={"colour": "red"})
    assert refused.value.code == "parameter_unknown"
    assert refused.value.param == "invoice_settings[colour]"
    assert "Received unknown parameter: invoice_settings[colour]" in str(refused.value)


def test_an_empty_value_can_not_unset_what_must_be_there(client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.raw_request("post", "/v1/setup_intents", customer="")
    assert refused.value.code == "parameter_invalid_empty"
    assert refused.value.param == "customer"


def test_an_id_in_the_path_that_names_nothing_is_404(client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.InvalidRequestError) as missing:
        client.v1.customers.retrieve("cus_none")
    assert missing.value.http_status == 404
    assert missing.value.code == "resource_missing"
    assert missing.value.param == "id"


def test_a_url_that_stripe_does_not_have_is_404(client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="Unrecognized request URL") as missing:
        client.raw_request("get", "/v1/nothing")
    assert missing.value.http_status == 404


def test_the_default_method_must_be_the_customers_own(
    client: stripe.StripeClient, customer: stripe.Customer
) -> None:
    other = client.v1.customers.create({"payment_method": "pm_card_visa"})
    foreign = client.v1.customers.payment_methods.list(other.id).data[0].id
    for method in ("pm_none", foreign):
        with pytest.raises(stripe.InvalidRequestError) as refused:
            client.v1.customers.update(
                customer.id, {"invoice_settings": {"default_payment_method": method}}
            )
        assert refused.value.code == "resource_missing"
        assert refused.value.param == "invoice_settings[default_payment_method]"


def test_a_customer_whose_card_is_declined_is_not_made(client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.CardError):
        client.v1.customers.create({"payment_method": "pm_card_chargeDeclined"})
    assert client.v1.customers.list().data == []
    assert client.v1.events.list().data == []


def test_the_default_method_can_be_expanded(client: stripe.StripeClient) -> None:
    made = client.v1.customers.create({"payment_method": "pm_card_amex"})
    method = client.v1.customers.payment_methods.list(made.id).data[0]
    changed = client.v1.customers.update(
        made.id,
        {
            "invoice_settings": {"default_payment_method": method.id},
            "expand": ["invoice_settings.default_payment_method"],
        },
    )
    settings = changed.invoice_settings
    assert settings is not None
    assert isinstance(settings.default_payment_method, stripe.PaymentMethod)
    listed = client.v1.customers.list({"expand": ["data.invoice_settings.default_payment_method"]})
    assert listed.data[0].invoice_settings is not None
    assert isinstance(listed.data[0].invoice_settings.default_payment_method, stripe.PaymentMethod)


def test_what_can_not_be_expanded_is_refused_and_nothing_is_made(
    client: stripe.StripeClient,
) -> None:
    for path in ("email", "nothing", "invoice_settings.footer"):
        with pytest.raises(stripe.InvalidRequestError, match="cannot be expanded"):
            client.v1.customers.create({"expand": [path]})
    assert client.v1.customers.list().data == []


def test_deleting_a_customer_frees_its_cards_for_nobody(client: stripe.StripeClient) -> None:
    made = client.v1.customers.create({"payment_method": "pm_card_visa"})
    method = client.v1.customers.payment_methods.list(made.id).data[0].id
    client.v1.customers.delete(made.id)
    other = client.v1.customers.create({})
    with pytest.raises(stripe.InvalidRequestError, match="may not be used again"):
        client.v1.payment_methods.attach(method, {"customer": other.id})
