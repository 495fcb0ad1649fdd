from tallystick.metering.fold import fold_end, is_of_another_server
from tallystick.metering.fold_store import Backlog


def test_a_short_backlog_is_folded_up_to_the_oldest_open_transaction() -> None:
    assert fold_end(Backlog(settled=90, next=95, first=10, cut=None)) == 90


def test_a_long_backlog_is_cut_behind_a_whole_transaction() -> None:
    assert fold_end(Backlog(settled=90, next=95, first=10, cut=40)) == 41


def test_a_mark_ahead_of_time_is_another_servers() -> None:
    backlog = Backlog(settled=90, next=95, first=None, cut=None)
    assert not is_of_another_server(95, backlog)
    assert is_of_another_server(96, backlog)
